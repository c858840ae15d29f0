;; SIMD kernel of the erasure code: sums of products of bytes with constants in GF(2^8), 16 bytes at
;; a time.
;;
;; The product of a constant with a byte is the sum of its products with the two nibbles of the
;; byte. Two tables of 16 bytes hold these products, and one swizzle looks up 16 of them. Source:
;; Plank, Greenan, Miller, "Screaming Fast Galois Field Arithmetic Using Intel SIMD Instructions",
;; FAST 2013.
;;
;; Field, matrix and block are unknown here; simd.ts hands them in. `bun run generate kernels`
;; assembles this file into kernel.ts.
(module
  ;; 0      products: for each constant 0 … 255 those with 0x00 … 0x0f, then those with
  ;;        0x00, 0x10 … 0xf0 (8 KiB)
  ;; 8192   tables of one call, in the order of its loop (128 columns × 4 rows × 32 bytes)
  ;; 24576  memory of the caller (see simd.ts): matrix, symbols, sums; 2.25 MiB in all
  (memory (export "memory") 36 36)

  ;; Copies the tables of `count` constants side by side and returns their end.
  (func $gather (param $constants i32) (param $count i32) (result i32)
    (local $from i32) (local $to i32) (local $end i32)
    (local.set $to (i32.const 8192))
    (local.set $end (i32.add (local.get $to) (i32.shl (local.get $count) (i32.const 5))))
    (loop $next
      (local.set $from (i32.shl (i32.load8_u (local.get $constants)) (i32.const 5)))
      (v128.store (local.get $to) (v128.load (local.get $from)))
      (v128.store offset=16 (local.get $to) (v128.load offset=16 (local.get $from)))
      (local.set $constants (i32.add (local.get $constants) (i32.const 1)))
      (br_if $next
        (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 32))) (local.get $end))))
    (local.get $end))

  ;; Adds four rows: each nibble that is split off serves all of them, and the sums stay in
  ;; registers.
  ;;   out[row] += constants[column × 4 + row] × in[column], for rows 0 … 3 and 1 … 128 columns
  ;; Works in steps of 16 bytes: reads and writes up to 15 bytes beyond `length`.
  (func (export "addFourRows")
    (param $constants i32) (param $columns i32)
    (param $in i32) (param $inStride i32) (param $out i32) (param $outStride i32) (param $length i32)
    (local $end i32) (local $at i32) (local $table i32) (local $tableEnd i32)
    (local $out1 i32) (local $out2 i32) (local $out3 i32)
    (local $low v128) (local $high v128)
    (local $sum0 v128) (local $sum1 v128) (local $sum2 v128) (local $sum3 v128)
    (local.set $tableEnd
      (call $gather (local.get $constants) (i32.shl (local.get $columns) (i32.const 2))))
    (local.set $out1 (i32.add (local.get $out) (local.get $outStride)))
    (local.set $out2 (i32.add (local.get $out1) (local.get $outStride)))
    (local.set $out3 (i32.add (local.get $out2) (local.get $outStride)))
    (local.set $end (i32.add (local.get $in) (local.get $length)))
    (loop $nextBytes
      (local.set $sum0 (v128.load (local.get $out)))
      (local.set $sum1 (v128.load (local.get $out1)))
      (local.set $sum2 (v128.load (local.get $out2)))
      (local.set $sum3 (v128.load (local.get $out3)))
      (local.set $at (local.get $in))
      (local.set $table (i32.const 8192))
      (loop $nextColumn
        (local.set $low (v128.load (local.get $at)))
        (local.set $high (i8x16.shr_u (local.get $low) (i32.const 4)))
        (local.set $low
          (v128.and (local.get $low) (v128.const i32x4 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f)))
        (local.set $sum0
          (v128.xor (local.get $sum0)
            (v128.xor
              (i8x16.swizzle (v128.load (local.get $table)) (local.get $low))
              (i8x16.swizzle (v128.load offset=16 (local.get $table)) (local.get $high)))))
        (local.set $sum1
          (v128.xor (local.get $sum1)
            (v128.xor
              (i8x16.swizzle (v128.load offset=32 (local.get $table)) (local.get $low))
              (i8x16.swizzle (v128.load offset=48 (local.get $table)) (local.get $high)))))
        (local.set $sum2
          (v128.xor (local.get $sum2)
            (v128.xor
              (i8x16.swizzle (v128.load offset=64 (local.get $table)) (local.get $low))
              (i8x16.swizzle (v128.load offset=80 (local.get $table)) (local.get $high)))))
        (local.set $sum3
          (v128.xor (local.get $sum3)
            (v128.xor
              (i8x16.swizzle (v128.load offset=96 (local.get $table)) (local.get $low))
              (i8x16.swizzle (v128.load offset=112 (local.get $table)) (local.get $high)))))
        (local.set $at (i32.add (local.get $at) (local.get $inStride)))
        (br_if $nextColumn
          (i32.lt_u
            (local.tee $table (i32.add (local.get $table) (i32.const 128)))
            (local.get $tableEnd))))
      (v128.store (local.get $out) (local.get $sum0))
      (v128.store (local.get $out1) (local.get $sum1))
      (v128.store (local.get $out2) (local.get $sum2))
      (v128.store (local.get $out3) (local.get $sum3))
      (local.set $out (i32.add (local.get $out) (i32.const 16)))
      (local.set $out1 (i32.add (local.get $out1) (i32.const 16)))
      (local.set $out2 (i32.add (local.get $out2) (i32.const 16)))
      (local.set $out3 (i32.add (local.get $out3) (i32.const 16)))
      (br_if $nextBytes
        (i32.lt_u (local.tee $in (i32.add (local.get $in) (i32.const 16))) (local.get $end)))))

  ;; Adds one row, the most frequent loss, at half the cost of four.
  ;;   out += constants[column] × in[column], for 1 … 128 columns
  ;; Works in steps of 32 bytes: reads and writes up to 31 bytes beyond `length`.
  (func (export "addRow")
    (param $constants i32) (param $columns i32)
    (param $in i32) (param $inStride i32) (param $out i32) (param $length i32)
    (local $end i32) (local $at i32) (local $table i32) (local $tableEnd i32)
    (local $low v128) (local $high v128) (local $lowTable v128) (local $highTable v128)
    (local $sumA v128) (local $sumB v128)
    (local.set $tableEnd (call $gather (local.get $constants) (local.get $columns)))
    (local.set $end (i32.add (local.get $in) (local.get $length)))
    (loop $nextBytes
      (local.set $sumA (v128.load (local.get $out)))
      (local.set $sumB (v128.load offset=16 (local.get $out)))
      (local.set $at (local.get $in))
      (local.set $table (i32.const 8192))
      (loop $nextColumn
        (local.set $lowTable (v128.load (local.get $table)))
        (local.set $highTable (v128.load offset=16 (local.get $table)))
        (local.set $low (v128.load (local.get $at)))
        (local.set $high (i8x16.shr_u (local.get $low) (i32.const 4)))
        (local.set $low
          (v128.and (local.get $low) (v128.const i32x4 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f)))
        (local.set $sumA
          (v128.xor (local.get $sumA)
            (v128.xor
              (i8x16.swizzle (local.get $lowTable) (local.get $low))
              (i8x16.swizzle (local.get $highTable) (local.get $high)))))
        (local.set $low (v128.load offset=16 (local.get $at)))
        (local.set $high (i8x16.shr_u (local.get $low) (i32.const 4)))
        (local.set $low
          (v128.and (local.get $low) (v128.const i32x4 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f)))
        (local.set $sumB
          (v128.xor (local.get $sumB)
            (v128.xor
              (i8x16.swizzle (local.get $lowTable) (local.get $low))
              (i8x16.swizzle (local.get $highTable) (local.get $high)))))
        (local.set $at (i32.add (local.get $at) (local.get $inStride)))
        (br_if $nextColumn
          (i32.lt_u
            (local.tee $table (i32.add (local.get $table) (i32.const 32)))
            (local.get $tableEnd))))
      (v128.store (local.get $out) (local.get $sumA))
      (v128.store offset=16 (local.get $out) (local.get $sumB))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (br_if $nextBytes
        (i32.lt_u (local.tee $in (i32.add (local.get $in) (i32.const 32))) (local.get $end))))))
