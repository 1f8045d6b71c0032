;; Addresses that are not the module's, given to every function of the broker.

;; case: get beyond the memory -> answer
(func $case (result i32) (call $get (i32.const {{topic}}) (i32.const 0xfffffff0) (i32.const 64)))

;; case: get with more room than there is -> answer
(func $case (result i32) (call $get (i32.const {{topic}}) (i32.const 262136) (i32.const 0x7fffffff)))

;; case: payload_slice beyond the memory -> answer
(func $case (result i32) (call $payload_slice (i32.const 0) (i32.const 262143) (i32.const 2)))

;; case: payload_slice that wraps around -> answer
(func $case (result i32) (call $payload_slice (i32.const 0) (i32.const 0xffffffff) (i32.const 0xffffffff)))

;; case: answer_fail beyond the memory -> answer
(func $case (result i32) (call $answer_fail (i32.const 0x40000000) (i32.const 0x40000000)) (i32.const -1))

;; case: log beyond the memory -> answer
(func $case (result i32)
  (call $log (i32.const 1) (i32.const 0xffffff00) (i32.const 16) (i32.const 0x10000000) (i32.const 100))
  (i32.const 0))

;; case: error beyond the memory -> answer
(func $case (result i32) (call $error (i32.const 0xffffff00) (i32.const 1024)))

;; case: kv_get with a key beyond the memory -> answer
(func $case (result i32) (call $kv_get (i32.const 0xffffff00) (i32.const 16) (i32.const 4096) (i32.const 16)))

;; case: kv_get into the broker -> answer
(func $case (result i32)
  (drop (call $kv_set (i32.const 128) (i32.const 4) (i32.const 128) (i32.const 4) (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0)))
  (drop (call $kv_get (i32.const 128) (i32.const 4) (i32.const 0xffffff00) (i32.const 256)))
  (i32.const 0))

;; case: kv_set of all memory and more -> answer
(func $case (result i32)
  (call $kv_set (i32.const 128) (i32.const 4) (i32.const 0) (i32.const 0x7fffffff) (i64.const -1) (i32.const 0) (i32.const 0) (i32.const 0)))

;; case: publish beyond the memory -> answer
(func $case (result i32) (call $publish (i32.const 0x7ffffff8)))

;; case: disconnect of a name beyond the memory -> answer
(func $case (result i32)
  (call $disconnect (i32.const 0x20000000) (i32.const 5) (i32.const 0x98) (i32.const 0) (i32.const 0)))

;; case: client into the broker -> answer
(data (i32.const 1280) "hostile")
(func $case (result i32) (call $client (i32.const 1280) (i32.const 7) (i32.const 0xfffffff8) (i32.const 4096)))

;; case: retained into the broker -> answer
(func $case (result i32)
  (call $retained (i32.const 128) (i32.const 1) (i32.const 10) (i32.const 0x7ffffff8) (i32.const 4096)))

;; case: random into the broker -> answer
(func $case (result i32) (call $fill (i32.const 0xffffff00) (i32.const 4096)) (i32.const 0))
