;; Loops without end, for both forms.

;; case: loop -> timeout
(func $case (result i32) (loop $again (br $again)) (unreachable))

;; case: loop that counts -> timeout
(func $case (result i32)
  (local $n i64)
  (loop $again
    (local.set $n (i64.add (local.get $n) (i64.const 1)))
    (br_if $again (i64.ne (local.get $n) (i64.const -1))))
  (i32.const 0))

;; case: loop through a table of jumps -> timeout
(func $case (result i32)
  (loop $again
    (block $out (br_table $again $again $out (i32.const 1))))
  (i32.const 0))

;; case: tail calls -> timeout
(func $case (result i32) (return_call $case))

;; case: indirect calls -> timeout
(func $case (result i32)
  (loop $again
    (call_indirect $functions (type $plain) (i32.const 0))
    (br $again))
  (unreachable))

;; case: recursion -> raised
(func $case (result i32) (i32.add (call $case) (i32.const 1)))

;; case: host calls -> timeout
(func $case (result i32)
  (loop $again
    (call $info (i32.const 128) (i32.const 17))
    (br $again))
  (unreachable))

;; case: memory filled without end -> timeout
(func $case (result i32)
  (loop $again
    (memory.fill (i32.const 131072) (i32.const 1) (i32.const 131072))
    (br $again))
  (unreachable))
