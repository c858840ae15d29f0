;; The kernel of the frame tag: Poly1305 under a one-time key from one ChaCha20 block. The result
;; is that of AEAD_CHACHA20_POLY1305 (RFC 8439, section 2.8) for associated data and an empty
;; plaintext.
;; One call verifies a whole batch of symbols in the memory that recvmmsg filled.
;;
;; `bun run generate kernels` assembles this file into frame-tag-kernel.ts. frame-tag.ts repeats the
;; memory layout below.
(module
  ;; Memory layout, in bytes:
  ;; 0     key (32)
  ;; 32    nonce (12)
  ;; 48    tag (16)
  ;; 64    one-time key: r, clamped (16), and s (16)
  ;; 2048  header prefix of the batch's symbols (29)
  ;; 2304  length of each datagram of a batch (64 times 4)
  ;; 2560  proof of each datagram: sequence, chunk, block and symbol, payload length (64 times 16)
  ;; 4096  slots of received datagrams, 2,048 bytes each (2,080); a longer datagram takes several.
  ;;       Up to 31 bytes after a datagram are overwritten
  ;; 4263936  one message, at most 8,972 bytes; up to 31 bytes after it are overwritten
  (memory (export "memory") 66 66)

  ;; Computes the first half of a ChaCha20 block (RFC 8439, section 2.3). Rows a … d hold four words
  ;; each, so that a quarter round works on all columns at once. Rotations by 16 and 8 are byte
  ;; shuffles; those by 12 and 7 are two shifts each.
  (func $oneTimeKey
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $b0 v128) (local $c0 v128) (local $d0 v128) (local $rounds i32)
    (local.set $a (v128.const i32x4 0x61707865 0x3320646e 0x79622d32 0x6b206574))
    (local.set $b (local.tee $b0 (v128.load (i32.const 0))))
    (local.set $c (local.tee $c0 (v128.load (i32.const 16))))
    ;; Block counter 0, then the nonce.
    (local.set $d
      (local.tee $d0
        (i8x16.shuffle 16 17 18 19 0 1 2 3 4 5 6 7 8 9 10 11
          (v128.load (i32.const 32)) (v128.const i32x4 0 0 0 0))))
    (local.set $rounds (i32.const 10))
    (loop $next
      ;; columns
      (local.set $a (i32x4.add (local.get $a) (local.get $b)))
      (local.set $d (v128.xor (local.get $d) (local.get $a)))
      (local.set $d (i8x16.shuffle 2 3 0 1 6 7 4 5 10 11 8 9 14 15 12 13 (local.get $d) (local.get $d)))
      (local.set $c (i32x4.add (local.get $c) (local.get $d)))
      (local.set $b (v128.xor (local.get $b) (local.get $c)))
      (local.set $b
        (v128.or (i32x4.shl (local.get $b) (i32.const 12)) (i32x4.shr_u (local.get $b) (i32.const 20))))
      (local.set $a (i32x4.add (local.get $a) (local.get $b)))
      (local.set $d (v128.xor (local.get $d) (local.get $a)))
      (local.set $d (i8x16.shuffle 3 0 1 2 7 4 5 6 11 8 9 10 15 12 13 14 (local.get $d) (local.get $d)))
      (local.set $c (i32x4.add (local.get $c) (local.get $d)))
      (local.set $b (v128.xor (local.get $b) (local.get $c)))
      (local.set $b
        (v128.or (i32x4.shl (local.get $b) (i32.const 7)) (i32x4.shr_u (local.get $b) (i32.const 25))))
      ;; diagonals
      (local.set $b (i8x16.shuffle 4 5 6 7 8 9 10 11 12 13 14 15 0 1 2 3 (local.get $b) (local.get $b)))
      (local.set $c (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $c) (local.get $c)))
      (local.set $d (i8x16.shuffle 12 13 14 15 0 1 2 3 4 5 6 7 8 9 10 11 (local.get $d) (local.get $d)))
      (local.set $a (i32x4.add (local.get $a) (local.get $b)))
      (local.set $d (v128.xor (local.get $d) (local.get $a)))
      (local.set $d (i8x16.shuffle 2 3 0 1 6 7 4 5 10 11 8 9 14 15 12 13 (local.get $d) (local.get $d)))
      (local.set $c (i32x4.add (local.get $c) (local.get $d)))
      (local.set $b (v128.xor (local.get $b) (local.get $c)))
      (local.set $b
        (v128.or (i32x4.shl (local.get $b) (i32.const 12)) (i32x4.shr_u (local.get $b) (i32.const 20))))
      (local.set $a (i32x4.add (local.get $a) (local.get $b)))
      (local.set $d (v128.xor (local.get $d) (local.get $a)))
      (local.set $d (i8x16.shuffle 3 0 1 2 7 4 5 6 11 8 9 10 15 12 13 14 (local.get $d) (local.get $d)))
      (local.set $c (i32x4.add (local.get $c) (local.get $d)))
      (local.set $b (v128.xor (local.get $b) (local.get $c)))
      (local.set $b
        (v128.or (i32x4.shl (local.get $b) (i32.const 7)) (i32x4.shr_u (local.get $b) (i32.const 25))))
      (local.set $b (i8x16.shuffle 12 13 14 15 0 1 2 3 4 5 6 7 8 9 10 11 (local.get $b) (local.get $b)))
      (local.set $c (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $c) (local.get $c)))
      (local.set $d (i8x16.shuffle 4 5 6 7 8 9 10 11 12 13 14 15 0 1 2 3 (local.get $d) (local.get $d)))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    ;; The first 32 bytes of the block are the one-time key: r, clamped here, and s.
    (v128.store (i32.const 64)
      (v128.and
        (i32x4.add (local.get $a) (v128.const i32x4 0x61707865 0x3320646e 0x79622d32 0x6b206574))
        (v128.const i32x4 0x0fffffff 0x0ffffffc 0x0ffffffc 0x0ffffffc)))
    (v128.store (i32.const 80) (i32x4.add (local.get $b) (local.get $b0))))

  ;; Computes Poly1305 of `length` bytes at `at`, a multiple of 16, under r at 64 and s at 80, and
  ;; writes the tag to 48.
  ;; The accumulator is four words of 32 bits, h0 … h3, and h4 with the bits from 128 on. With the
  ;; message added, a word has 33 bits. h0 has 34, because its carry is propagated at the end only.
  ;; r is clamped, so its words are below 2^28 and r1 … r3 are multiples of 4. Therefore s1 … s3,
  ;; 5/4 of r1 … r3, are exact; they reduce what reaches 2^130. No sum of products reaches 2^64.
  (func $poly (export "poly") (param $at i32) (param $length i32)
    (local $end i32)
    (local $r0 i64) (local $r1 i64) (local $r2 i64) (local $r3 i64)
    (local $s1 i64) (local $s2 i64) (local $s3 i64)
    (local $h0 i64) (local $h1 i64) (local $h2 i64) (local $h3 i64) (local $h4 i64)
    (local $d0 i64) (local $d1 i64) (local $d2 i64) (local $d3 i64)
    (local.set $r0 (i64.load32_u (i32.const 64)))
    (local.set $r1 (i64.load32_u (i32.const 68)))
    (local.set $r2 (i64.load32_u (i32.const 72)))
    (local.set $r3 (i64.load32_u (i32.const 76)))
    (local.set $s1 (i64.add (local.get $r1) (i64.shr_u (local.get $r1) (i64.const 2))))
    (local.set $s2 (i64.add (local.get $r2) (i64.shr_u (local.get $r2) (i64.const 2))))
    (local.set $s3 (i64.add (local.get $r3) (i64.shr_u (local.get $r3) (i64.const 2))))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (loop $next
      (local.set $h0 (i64.add (local.get $h0) (i64.load32_u (local.get $at))))
      (local.set $h1 (i64.add (local.get $h1) (i64.load32_u offset=4 (local.get $at))))
      (local.set $h2 (i64.add (local.get $h2) (i64.load32_u offset=8 (local.get $at))))
      (local.set $h3 (i64.add (local.get $h3) (i64.load32_u offset=12 (local.get $at))))
      (local.set $h4 (i64.add (local.get $h4) (i64.const 1)))
      (local.set $d0
        (i64.add
          (i64.add (i64.mul (local.get $h0) (local.get $r0)) (i64.mul (local.get $h1) (local.get $s3)))
          (i64.add (i64.mul (local.get $h2) (local.get $s2)) (i64.mul (local.get $h3) (local.get $s1)))))
      (local.set $d1
        (i64.add
          (i64.add
            (i64.add (i64.mul (local.get $h0) (local.get $r1)) (i64.mul (local.get $h1) (local.get $r0)))
            (i64.add (i64.mul (local.get $h2) (local.get $s3)) (i64.mul (local.get $h3) (local.get $s2))))
          (i64.mul (local.get $h4) (local.get $s1))))
      (local.set $d2
        (i64.add
          (i64.add
            (i64.add (i64.mul (local.get $h0) (local.get $r2)) (i64.mul (local.get $h1) (local.get $r1)))
            (i64.add (i64.mul (local.get $h2) (local.get $r0)) (i64.mul (local.get $h3) (local.get $s3))))
          (i64.mul (local.get $h4) (local.get $s2))))
      (local.set $d3
        (i64.add
          (i64.add
            (i64.add (i64.mul (local.get $h0) (local.get $r3)) (i64.mul (local.get $h1) (local.get $r2)))
            (i64.add (i64.mul (local.get $h2) (local.get $r1)) (i64.mul (local.get $h3) (local.get $r0))))
          (i64.mul (local.get $h4) (local.get $s3))))
      (local.set $d1 (i64.add (local.get $d1) (i64.shr_u (local.get $d0) (i64.const 32))))
      (local.set $d2 (i64.add (local.get $d2) (i64.shr_u (local.get $d1) (i64.const 32))))
      (local.set $d3 (i64.add (local.get $d3) (i64.shr_u (local.get $d2) (i64.const 32))))
      (local.set $h4
        (i64.add (i64.mul (local.get $h4) (local.get $r0)) (i64.shr_u (local.get $d3) (i64.const 32))))
      (local.set $h0
        (i64.add
          (i64.and (local.get $d0) (i64.const 0xffffffff))
          (i64.mul (i64.shr_u (local.get $h4) (i64.const 2)) (i64.const 5))))
      (local.set $h1 (i64.and (local.get $d1) (i64.const 0xffffffff)))
      (local.set $h2 (i64.and (local.get $d2) (i64.const 0xffffffff)))
      (local.set $h3 (i64.and (local.get $d3) (i64.const 0xffffffff)))
      (local.set $h4 (i64.and (local.get $h4) (i64.const 3)))
      (br_if $next
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
    ;; Propagate the remaining carries.
    (local.set $h1 (i64.add (local.get $h1) (i64.shr_u (local.get $h0) (i64.const 32))))
    (local.set $h2 (i64.add (local.get $h2) (i64.shr_u (local.get $h1) (i64.const 32))))
    (local.set $h3 (i64.add (local.get $h3) (i64.shr_u (local.get $h2) (i64.const 32))))
    (local.set $h4 (i64.add (local.get $h4) (i64.shr_u (local.get $h3) (i64.const 32))))
    (local.set $h0 (i64.and (local.get $h0) (i64.const 0xffffffff)))
    (local.set $h1 (i64.and (local.get $h1) (i64.const 0xffffffff)))
    (local.set $h2 (i64.and (local.get $h2) (i64.const 0xffffffff)))
    (local.set $h3 (i64.and (local.get $h3) (i64.const 0xffffffff)))
    ;; If h + 5 reaches 2^130, then h is at least p = 2^130 - 5. The tag uses the lower 128 bits of
    ;; h - p, which are those of h + 5.
    (local.set $d0 (i64.add (local.get $h0) (i64.const 5)))
    (local.set $d1 (i64.add (local.get $h1) (i64.shr_u (local.get $d0) (i64.const 32))))
    (local.set $d2 (i64.add (local.get $h2) (i64.shr_u (local.get $d1) (i64.const 32))))
    (local.set $d3 (i64.add (local.get $h3) (i64.shr_u (local.get $d2) (i64.const 32))))
    (if (i64.ge_u (i64.add (local.get $h4) (i64.shr_u (local.get $d3) (i64.const 32))) (i64.const 4))
      (then
        (local.set $h0 (i64.and (local.get $d0) (i64.const 0xffffffff)))
        (local.set $h1 (i64.and (local.get $d1) (i64.const 0xffffffff)))
        (local.set $h2 (i64.and (local.get $d2) (i64.const 0xffffffff)))
        (local.set $h3 (i64.and (local.get $d3) (i64.const 0xffffffff)))))
    ;; Add s to h mod 2^128, 32 bits at a time.
    (local.set $d0 (i64.add (local.get $h0) (i64.load32_u (i32.const 80))))
    (i64.store32 (i32.const 48) (local.get $d0))
    (local.set $d1
      (i64.add (i64.add (local.get $h1) (i64.load32_u (i32.const 84))) (i64.shr_u (local.get $d0) (i64.const 32))))
    (i64.store32 (i32.const 52) (local.get $d1))
    (local.set $d2
      (i64.add (i64.add (local.get $h2) (i64.load32_u (i32.const 88))) (i64.shr_u (local.get $d1) (i64.const 32))))
    (i64.store32 (i32.const 56) (local.get $d2))
    (local.set $d3
      (i64.add (i64.add (local.get $h3) (i64.load32_u (i32.const 92))) (i64.shr_u (local.get $d2) (i64.const 32))))
    (i64.store32 (i32.const 60) (local.get $d3)))

  ;; Computes the tag of `length` bytes at `at` under key and nonce, and writes it to 48.
  (func $tag (export "tag") (param $at i32) (param $length i32)
    (local $padded i32)
    (call $oneTimeKey)
    (local.set $padded (i32.and (i32.add (local.get $length) (i32.const 15)) (i32.const -16)))
    ;; Pad with zeros to 16 bytes, then append the lengths of associated data and ciphertext (0).
    (memory.fill
      (i32.add (local.get $at) (local.get $length)) (i32.const 0)
      (i32.sub (local.get $padded) (local.get $length)))
    (i64.store (i32.add (local.get $at) (local.get $padded)) (i64.extend_i32_u (local.get $length)))
    (i64.store offset=8 (i32.add (local.get $at) (local.get $padded)) (i64.const 0))
    (call $poly (local.get $at) (i32.add (local.get $padded) (i32.const 16))))

  ;; Checks a message whose last 16 bytes are its tag, in constant time. Returns 1 if it is right.
  (func $verify (export "verify") (param $at i32) (param $length i32) (result i32)
    (local $end i32) (local $given v128)
    (local.set $length (i32.sub (local.get $length) (i32.const 16)))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (local.set $given (v128.load (local.get $end)))
    (call $tag (local.get $at) (local.get $length))
    (v128.store (local.get $end) (local.get $given))
    (i8x16.all_true (i8x16.eq (local.get $given) (v128.load (i32.const 48)))))

  ;; Returns the payload length of a datagram that has the layout of a symbol's frame
  ;; (shared/wire/layout.ts) and the header prefix at 2048; 0 for any other. Does not check the tag.
  (func $payloadOf (param $at i32) (param $length i32) (result i32)
    (local $payload i32)
    (if (i32.or (i32.lt_u (local.get $length) (i32.const 67)) (i32.gt_u (local.get $length) (i32.const 8970)))
      (then (return (i32.const 0))))
    (if
      (v128.any_true
        (v128.or
          (v128.xor (v128.load (local.get $at)) (v128.load (i32.const 2048)))
          (v128.xor (v128.load offset=13 (local.get $at)) (v128.load (i32.const 2061)))))
      (then (return (i32.const 0))))
    ;; From 33 on: c5 and the body's length, 94, ce and chunk, cd and block, cc and symbol, c5 and
    ;; the first byte of the payload's length.
    (if
      (v128.any_true
        (v128.xor
          (v128.and
            (v128.load offset=33 (local.get $at))
            (v128.const i8x16 0xff 0 0 0xff 0xff 0 0 0 0 0xff 0 0 0xff 0 0xff 0))
          (v128.const i8x16 0xc5 0 0 0x94 0xce 0 0 0 0 0xcd 0 0 0xcc 0 0xc5 0)))
      (then (return (i32.const 0))))
    (local.set $payload (i32.sub (local.get $length) (i32.const 66)))
    (if
      (i32.or
        (i32.ne (call $bigEndian16 (i32.add (local.get $at) (i32.const 34))) (i32.add (local.get $payload) (i32.const 30)))
        (i32.ne (call $bigEndian16 (i32.add (local.get $at) (i32.const 48))) (local.get $payload)))
      (then (return (i32.const 0))))
    (local.get $payload))

  (func $bigEndian16 (param $at i32) (result i32)
    (i32.or
      (i32.shl (i32.load8_u (local.get $at)) (i32.const 8))
      (i32.load8_u offset=1 (local.get $at))))

  ;; Verifies `count` datagrams, the first one at `at` and each `step` bytes after the one before, and
  ;; writes a proof for each. A payload length of 0 means that the datagram is not verified.
  (func (export "prove") (param $at i32) (param $step i32) (param $count i32)
    (local $index i32) (local $found i32) (local $length i32) (local $payload i32)
    (local.set $found (i32.const 2560))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $index) (local.get $count)))
        (local.set $length (i32.load offset=2304 (i32.shl (local.get $index) (i32.const 2))))
        (local.set $payload (call $payloadOf (local.get $at) (local.get $length)))
        (if (local.get $payload)
          (then
            ;; The nonce is 8 zero bytes and the sequence in the byte order of the frame.
            (i64.store (i32.const 32) (i64.const 0))
            (i32.store (i32.const 40) (i32.load offset=29 (local.get $at)))
            (if (i32.eqz (call $verify (local.get $at) (local.get $length)))
              (then (local.set $payload (i32.const 0))))))
        ;; From bytes 29 … 44 and 33 … 48 of the frame: sequence, chunk and block with reversed byte
        ;; order, and the symbol next to the block.
        (v128.store (local.get $found)
          (v128.and
            (i8x16.shuffle 3 2 1 0 12 11 10 9 15 14 29 0 0 0 0 0
              (v128.load offset=29 (local.get $at)) (v128.load offset=33 (local.get $at)))
            (v128.const i32x4 -1 -1 0x00ffffff 0)))
        (i32.store offset=12 (local.get $found) (local.get $payload))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (local.get $step)))
        (local.set $found (i32.add (local.get $found) (i32.const 16)))
        (br $next)))))
