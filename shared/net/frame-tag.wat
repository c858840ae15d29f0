;; The kernel of the frame tag: Poly1305 under a one-time key from one ChaCha20 block, as AEAD_CHACHA20_POLY1305 of
;; RFC 8439 (section 2.8) makes it when everything is associated data and nothing is encrypted.
;;
;; `bun scripts/kernels.ts` assembles this file into kernel.ts.
(module
  ;; 0    key (32 bytes)      32  nonce (12 bytes)      48  tag (16 bytes)      64  the block's keystream (64 bytes)
  ;; 128  the message, at most 3,900 bytes; up to 15 bytes behind it are overwritten with zeros
  (memory (export "memory") 1 1)

  ;; The first half of a ChaCha20 block (RFC 8439, section 2.3): rows a … d hold four words each, so that a quarter
  ;; round works on all columns at once. Rotations by 16 and 8 are shuffles of bytes, those by 12 and 7 two shifts.
  (func $oneTimeKey
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $b0 v128) (local $c0 v128) (local $d0 v128) (local $rounds i32)
    (local.set $a (v128.const i32x4 0x61707865 0x3320646e 0x79622d32 0x6b206574))
    (local.set $b (local.tee $b0 (v128.load (i32.const 0))))
    (local.set $c (local.tee $c0 (v128.load (i32.const 16))))
    ;; Counter 0, then the nonce.
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
    ;; The first 32 bytes are the key: r, clamped, and s.
    (v128.store (i32.const 64)
      (v128.and
        (i32x4.add (local.get $a) (v128.const i32x4 0x61707865 0x3320646e 0x79622d32 0x6b206574))
        (v128.const i32x4 0x0fffffff 0x0ffffffc 0x0ffffffc 0x0ffffffc)))
    (v128.store (i32.const 80) (i32x4.add (local.get $b) (local.get $b0))))

  ;; Poly1305 of `length` bytes at 128, a multiple of 16, under r at 64 and s at 80; the tag goes to 48. The accumulator has
  ;; four words of 32 bits (with the message 33; 34 in h0, whose carry waits for the end) and h4 with the bits from 128 on.
  ;; As r is clamped, its words are below 2^28 and all but the first are multiples of 4: s = r * 5 / 4 takes what passes 2^130
  ;; back to the bottom, and no sum of products reaches 2^64.
  (func $poly (export "poly") (param $length i32)
    (local $at i32) (local $end i32)
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
    (local.set $at (i32.const 128))
    (local.set $end (i32.add (i32.const 128) (local.get $length)))
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
    ;; The last carries.
    (local.set $h1 (i64.add (local.get $h1) (i64.shr_u (local.get $h0) (i64.const 32))))
    (local.set $h2 (i64.add (local.get $h2) (i64.shr_u (local.get $h1) (i64.const 32))))
    (local.set $h3 (i64.add (local.get $h3) (i64.shr_u (local.get $h2) (i64.const 32))))
    (local.set $h4 (i64.add (local.get $h4) (i64.shr_u (local.get $h3) (i64.const 32))))
    (local.set $h0 (i64.and (local.get $h0) (i64.const 0xffffffff)))
    (local.set $h1 (i64.and (local.get $h1) (i64.const 0xffffffff)))
    (local.set $h2 (i64.and (local.get $h2) (i64.const 0xffffffff)))
    (local.set $h3 (i64.and (local.get $h3) (i64.const 0xffffffff)))
    ;; h + 5: when it reaches 2^130, h has reached 2^130 - 5, and of h - (2^130 - 5) only the lower 128 bits count.
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
    ;; (h mod 2^128) + s, 32 bits at a time.
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

  ;; The tag of `length` bytes at 128 under key and nonce, to 48.
  (func $tag (export "tag") (param $length i32)
    (local $padded i32)
    (call $oneTimeKey)
    (local.set $padded (i32.and (i32.add (local.get $length) (i32.const 15)) (i32.const -16)))
    ;; Zeros up to 16 bytes, then the lengths of the associated data and of the (empty) ciphertext.
    (memory.fill
      (i32.add (i32.const 128) (local.get $length)) (i32.const 0)
      (i32.sub (local.get $padded) (local.get $length)))
    (i64.store offset=128 (local.get $padded) (i64.extend_i32_u (local.get $length)))
    (i64.store offset=136 (local.get $padded) (i64.const 0))
    (call $poly (i32.add (local.get $padded) (i32.const 16))))

  ;; Of a message whose last 16 bytes are its tag: 0 when the tag is right. Takes as long either way.
  (func (export "verify") (param $length i32) (result i32)
    (local $given0 i64) (local $given1 i64)
    (local.set $length (i32.sub (local.get $length) (i32.const 16)))
    (local.set $given0 (i64.load offset=128 (local.get $length)))
    (local.set $given1 (i64.load offset=136 (local.get $length)))
    (call $tag (local.get $length))
    (i64.ne
      (i64.or
        (i64.xor (local.get $given0) (i64.load (i32.const 48)))
        (i64.xor (local.get $given1) (i64.load (i32.const 56))))
      (i64.const 0))))
