;; Memory without end, for both forms.

;; case: memory.grow by pages -> memory
(func $case (result i32)
  (loop $again
    (drop (memory.grow (i32.const 1)))
    (br $again))
  (unreachable))

;; case: memory.grow by 4 GiB -> memory | raised
(func $case (result i32)
  (if (i32.ne (memory.grow (i32.const 65000)) (i32.const -1)) (then (unreachable)))
  (unreachable))

;; case: every page touched -> memory
(func $case (result i32)
  (local $at i32)
  (loop $again
    (local.set $at (i32.shl (memory.grow (i32.const 16)) (i32.const 16)))
    (memory.fill (local.get $at) (i32.const 255) (i32.const 1048576))
    (br $again))
  (unreachable))

;; case: table.grow -> memory
(func $case (result i32)
  (loop $again
    (drop (table.grow $functions (ref.null func) (i32.const 1000)))
    (br $again))
  (unreachable))
