;; What every core module here is made of: the tables of a plugin that answers intercept_publish, and all that it may import. A case
;; is put in between the rest, and is one function, $case, whose result is what the handler returns.
(module
  {{imports}}
  (memory (export "memory") 4)
  (table $functions 2 funcref)
  (elem (i32.const 0) $nothing)
  (type $plain (func))
  (type $other (func (param i64)))
  (data (i32.const 128) "a line of the log")
  (data (i32.const 512) "\28\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\80\02\00\00\01\00\00\00\00\00\00\00\00\00\00\00")
  (data (i32.const 640) "\18\00\00\00{{hook}}\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
  (global $zero (mut i32) (i32.const 0))
  (func $nothing)
  (func $info (param i32 i32)
    (call $log (i32.const 1) (i32.const 0) (i32.const 0) (local.get 0) (local.get 1)))
  {{case}}
  (func (export "hookmq_plugin_v1") (result i32) (i32.const 512))
  (func (export "hookmq_inbox") (param i32) (result i32) (i32.const 65536))
  (func (export "hookmq_call") (param i32 i32) (result i32) (call $case)))
