;; Addresses that are not the component's, and data that its types do not allow, given to functions of the broker.

;; case: text beyond the memory -> answer | raised
(func $case (result i32) (call $info (i32.const 0xffffff00) (i32.const 16)) (i32.const 0))

;; case: text of all memory and more -> answer | raised
(func $case (result i32) (call $info (i32.const 0) (i32.const 0x7fffffff)) (i32.const 0))

;; case: text that is none -> answer | raised
(data (i32.const 1280) "\ff\fe\fd")
(func $case (result i32) (call $info (i32.const 1280) (i32.const 3)) (i32.const 0))

;; case: result into the broker -> answer | raised
(func $case (result i32) (call $payload (i32.const 0xffffff00)) (i32.const 0))

;; case: result not aligned -> answer | raised
(func $case (result i32) (call $payload (i32.const 1027)) (i32.const 0))

;; case: field 250 of the event -> answer | raised
(func $case (result i32) (call $get (i32.const 250) (i32.const 1024)) (i32.const 0))

;; case: slice that wraps around -> answered
(func $case (result i32)
  (call $slice (i64.const -1) (i64.const -1) (i32.const 1024))
  (i32.const 0))
