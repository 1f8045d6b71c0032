;; Single instructions on much memory, for both forms.

;; case: fill of 48 MiB -> answered | timeout
(func $case (result i32)
  (drop (memory.grow (i32.const 768)))
  (memory.fill (i32.const 131072) (i32.const 1) (i32.const 50331648))
  (i32.const 0))

;; case: copies of 24 MiB without end -> timeout
(func $case (result i32)
  (drop (memory.grow (i32.const 768)))
  (loop $again
    (memory.copy (i32.const 131072) (i32.const 25296896) (i32.const 25165824))
    (br $again))
  (unreachable))

;; case: table filled without end -> timeout
(func $case (result i32)
  (drop (table.grow $functions (ref.null func) (i32.const 90000)))
  (loop $again
    (table.fill $functions (i32.const 2) (ref.null func) (i32.const 90000))
    (br $again))
  (unreachable))
