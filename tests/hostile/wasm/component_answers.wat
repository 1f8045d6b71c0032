;; What a component can return wrong: its answer is 88 bytes, the verdict's number first, at 56 the list of changes.

;; case: verdict 42 -> answer | raised
(data (i32.const 1024) "\2a")
(func $case (result i32) (i32.const 1024))

;; case: answer beyond the memory -> answer | raised
(func $case (result i32) (i32.const 0x7ffffff8))

;; case: answer not aligned -> answer | raised
(func $case (result i32) (i32.const 1027))

;; case: changes beyond the memory -> answer | raised
(data (i32.const 1080) "\00\00\00\f0\01\00\00\00")
(func $case (result i32) (i32.const 1024))

;; case: four billion changes -> answer | raised | memory
(data (i32.const 1080) "\00\05\00\00\ff\ff\ff\ff")
(func $case (result i32) (i32.const 1024))

;; case: change of no known kind -> answer | raised
(data (i32.const 1080) "\00\05\00\00\01\00\00\00")
(data (i32.const 1280) "\fe")
(func $case (result i32) (i32.const 1024))

;; case: change that is no text -> answer | raised
(data (i32.const 1080) "\00\05\00\00\01\00\00\00")
(data (i32.const 1280) "\00\00\00\00\00\06\00\00\02\00\00\00")
(data (i32.const 1536) "\ff\fe")
(func $case (result i32) (i32.const 1024))

;; case: change of a field that is fixed -> answer
(data (i32.const 1080) "\00\05\00\00\01\00\00\00")
(data (i32.const 1280) "\00\00\00\00\00\06\00\00\01\00\00\00")
(data (i32.const 1536) "x")
(func $case (result i32) (i32.const 1024))

;; case: option that is neither -> answer | raised
(data (i32.const 1088) "\07")
(func $case (result i32) (i32.const 1024))
