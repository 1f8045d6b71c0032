;; Every trap of the machine, for both forms.

;; case: unreachable -> raised
(func $case (result i32) (unreachable))

;; case: division by zero -> raised
(func $case (result i32) (i32.div_s (i32.const 1) (global.get $zero)))

;; case: remainder by zero -> raised
(func $case (result i32) (i32.rem_u (i32.const 1) (global.get $zero)))

;; case: quotient that does not fit -> raised
(func $case (result i32) (i32.div_s (i32.const 0x80000000) (i32.sub (global.get $zero) (i32.const 1))))

;; case: load out of bounds -> raised
(func $case (result i32) (i32.load (i32.const 0xfffffff0)))

;; case: load past the offset -> raised
(func $case (result i32) (i32.load offset=0xffffffff (i32.const 0xffffffff)))

;; case: store out of bounds -> raised
(func $case (result i32) (i64.store (i32.const 262140) (i64.const 1)) (i32.const 0))

;; case: fill out of bounds -> raised
(func $case (result i32) (memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) (i32.const 0))

;; case: call of nothing -> raised
(func $case (result i32) (call_indirect $functions (type $plain) (i32.const 1)) (i32.const 0))

;; case: call of another type -> raised
(func $case (result i32) (call_indirect $functions (type $other) (i64.const 1) (i32.const 0)) (i32.const 0))

;; case: call past the table -> raised
(func $case (result i32) (call_indirect $functions (type $plain) (i32.const 99)) (i32.const 0))

;; case: number that is none -> raised
(func $case (result i32) (i32.trunc_f32_s (f32.const nan)))

;; case: stack used up -> raised
(func $case (result i32) (i32.add (call $case) (call $case)))

;; case: time used up -> timeout
(func $case (result i32) (loop $again (br $again)) (unreachable))
