;; What a core module can say wrong.

;; case: verdict 42 -> answer
(func $case (result i32) (i32.const 42))

;; case: verdict -7 -> answer | raised
(func $case (result i32) (i32.const -7))

;; case: failure without words -> raised
(func $case (result i32) (i32.const -1))

;; case: change of field 9999 -> answer
(func $case (result i32) (call $answer_change (i32.const 9999) (i32.const 1024)) (i32.const 0))

;; case: change of a field that is fixed -> answer
(func $case (result i32) (call $answer_change (i32.const 0) (i32.const 1024)) (i32.const 0))

;; case: value of kind 99 -> answer
(data (i32.const 1024) "\63\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 1024)) (i32.const 0))

;; case: topic of a number -> answer
(data (i32.const 1024) "\02\00\00\00\00\00\00\00\05\00\00\00\00\00\00\00")
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 1024)) (i32.const 0))

;; case: topic that is no text -> answer
(data (i32.const 1024) "\03\00\00\00\00\00\00\00\00\05\00\00\02\00\00\00")
(data (i32.const 1280) "\ff\fe")
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 1024)) (i32.const 0))

;; case: topic with a wildcard -> answer
(data (i32.const 1024) "\03\00\00\00\00\00\00\00\00\05\00\00\03\00\00\00")
(data (i32.const 1280) "a/#")
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 1024)) (i32.const 0))

;; case: topic beyond the memory -> answer
(data (i32.const 1024) "\03\00\00\00\00\00\00\00\00\00\00\f0\ff\00\00\00")
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 1024)) (i32.const 0))

;; case: value beyond the memory -> answer
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 0xfffffff8)) (i32.const 0))

;; case: value not aligned -> answer | answered
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 1027)) (i32.const 0))

;; case: four billion properties -> answer
(data (i32.const 1024) "\05\00\00\00\00\00\00\00\00\05\00\00\ff\ff\ff\ff")
(func $case (result i32) (call $answer_change (i32.const {{user_properties}}) (i32.const 1024)) (i32.const 0))

;; case: refusal of no size -> answer
(func $case (result i32) (call $answer_refuse (i32.const 1024)) (i32.const 2))

;; case: refusal beyond the memory -> answer
(func $case (result i32) (call $answer_refuse (i32.const 0x7ffffff0)) (i32.const 2))

;; case: reason 999 -> answer
(data (i32.const 1024) "\30\00\00\00\e7\03\00\00")
(func $case (result i32) (call $answer_refuse (i32.const 1024)) (i32.const 2))

;; case: refusal with a reason that is no text -> answered
(data (i32.const 1024) "\20\00\00\00\87\00\00\00\00\05\00\00\02\00\00\00")
(data (i32.const 1280) "\ff\fe")
(func $case (result i32) (call $answer_refuse (i32.const 1024)) (i32.const 2))

;; case: refusal with a change that is no text -> answered
(data (i32.const 1024) "\03\00\00\00\00\00\00\00\00\05\00\00\02\00\00\00")
(data (i32.const 1280) "\ff\fe")
(func $case (result i32) (call $answer_change (i32.const {{topic}}) (i32.const 1024)) (i32.const 2))

;; case: four billion tags -> answer
(func $case (result i32) (call $answer_keep (i64.const 1000) (i32.const 1024) (i32.const -1)) (i32.const 0))

;; case: log level 9 -> answer
(func $case (result i32)
  (call $log (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 128) (i32.const 4))
  (i32.const 0))
