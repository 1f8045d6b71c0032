;; What a component may try through WASI. An attempt that gets anything runs on without end, which is told from what is expected.

;; case: environment -> answered
;; wit: wasi:cli@0.2.0 environment get-environment: func() -> list<tuple<string, string>>;
(import "wasi:cli/environment@0.2.0" "get-environment" (func $attempt (param i32)))
(func $case (result i32)
  (call $attempt (i32.const 1024))
  (if (i32.load (i32.const 1028)) (then (loop $escaped (br $escaped))))
  (i32.const 0))

;; case: arguments -> answered
;; wit: wasi:cli@0.2.0 environment get-arguments: func() -> list<string>;
(import "wasi:cli/environment@0.2.0" "get-arguments" (func $attempt (param i32)))
(func $case (result i32)
  (call $attempt (i32.const 1024))
  (if (i32.load (i32.const 1028)) (then (loop $escaped (br $escaped))))
  (i32.const 0))

;; case: working directory -> answered
;; wit: wasi:cli@0.2.0 environment initial-cwd: func() -> option<string>;
(import "wasi:cli/environment@0.2.0" "initial-cwd" (func $attempt (param i32)))
(func $case (result i32)
  (call $attempt (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (loop $escaped (br $escaped))))
  (i32.const 0))

;; case: exit -> raised
;; wit: wasi:cli@0.2.0 exit exit: func(status: result);
(import "wasi:cli/exit@0.2.0" "exit" (func $attempt (param i32)))
(func $case (result i32) (call $attempt (i32.const 0)) (loop $escaped (br $escaped)) (unreachable))

;; case: terminal -> answered | raised
;; wit: wasi:cli@0.2.0 terminal-input resource terminal-input;
;; wit: wasi:cli@0.2.0 terminal-stdin use terminal-input.{terminal-input}; get-terminal-stdin: func() -> option<terminal-input>;
(import "wasi:cli/terminal-stdin@0.2.0" "get-terminal-stdin" (func $attempt (param i32)))
(func $case (result i32)
  (call $attempt (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (loop $escaped (br $escaped))))
  (i32.const 0))

;; case: folders given beforehand -> answered | raised
;; wit: wasi:filesystem@0.2.0 types resource descriptor;
;; wit: wasi:filesystem@0.2.0 preopens use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>;
(import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $attempt (param i32)))
(func $case (result i32)
  (call $attempt (i32.const 1024))
  (if (i32.load (i32.const 1028)) (then (loop $escaped (br $escaped))))
  (i32.const 0))

;; case: file through a forged handle -> raised | answer
;; wit: wasi:filesystem@0.2.0 types resource descriptor { open-at: func(path: string) -> u32; }
(import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at" (func $attempt (param i32 i32 i32) (result i32)))
(func $case (result i32)
  (drop (call $attempt (i32.const 3) (i32.const 128) (i32.const 4)))
  (loop $escaped (br $escaped)) (unreachable))

;; case: read through a forged handle -> raised | answer
;; wit: wasi:filesystem@0.2.0 types resource descriptor { read: func(length: u64, offset: u64) -> u32; }
(import "wasi:filesystem/types@0.2.0" "[method]descriptor.read" (func $attempt (param i32 i64 i64) (result i32)))
(func $case (result i32)
  (drop (call $attempt (i32.const 1) (i64.const 100) (i64.const 0)))
  (loop $escaped (br $escaped)) (unreachable))

;; case: link through a forged handle -> raised | answer
;; wit: wasi:filesystem@0.2.0 types resource descriptor { symlink-at: func(old: string, new: string) -> u32; }
(import "wasi:filesystem/types@0.2.0" "[method]descriptor.symlink-at" (func $attempt (param i32 i32 i32 i32 i32) (result i32)))
(func $case (result i32)
  (drop (call $attempt (i32.const 1) (i32.const 128) (i32.const 4) (i32.const 133) (i32.const 4)))
  (loop $escaped (br $escaped)) (unreachable))

;; case: network -> raised
;; wit: wasi:sockets@0.2.0 instance-network instance-network: func() -> u32;
(import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $attempt (result i32)))
(func $case (result i32) (drop (call $attempt)) (loop $escaped (br $escaped)) (unreachable))

;; case: TCP socket -> raised
;; wit: wasi:sockets@0.2.0 tcp-create-socket create-tcp-socket: func(family: u8) -> u32;
(import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $attempt (param i32) (result i32)))
(func $case (result i32) (drop (call $attempt (i32.const 0))) (loop $escaped (br $escaped)) (unreachable))

;; case: UDP socket -> raised
;; wit: wasi:sockets@0.2.0 udp-create-socket create-udp-socket: func(family: u8) -> u32;
(import "wasi:sockets/udp-create-socket@0.2.0" "create-udp-socket" (func $attempt (param i32) (result i32)))
(func $case (result i32) (drop (call $attempt (i32.const 0))) (loop $escaped (br $escaped)) (unreachable))

;; case: name looked up -> raised
;; wit: wasi:sockets@0.2.0 ip-name-lookup resolve-addresses: func(name: string) -> u32;
(import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses" (func $attempt (param i32 i32) (result i32)))
(func $case (result i32) (drop (call $attempt (i32.const 128) (i32.const 4))) (loop $escaped (br $escaped)) (unreachable))

;; case: HTTP request -> raised
;; wit: wasi:http@0.2.0 outgoing-handler handle: func(url: string) -> u32;
(import "wasi:http/outgoing-handler@0.2.0" "handle" (func $attempt (param i32 i32) (result i32)))
(func $case (result i32) (drop (call $attempt (i32.const 128) (i32.const 4))) (loop $escaped (br $escaped)) (unreachable))

;; case: wait that blocks -> raised | answer
;; wit: wasi:io@0.2.0 poll resource pollable { block: func(); }
(import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $attempt (param i32)))
(func $case (result i32) (call $attempt (i32.const 1)) (loop $escaped (br $escaped)) (unreachable))

;; case: standard input through a forged handle -> raised | answer
;; wit: wasi:io@0.2.0 streams resource input-stream { skip: func(n: u64) -> u64; }
(import "wasi:io/streams@0.2.0" "[method]input-stream.skip" (func $attempt (param i32 i64) (result i64)))
(func $case (result i32) (drop (call $attempt (i32.const 7) (i64.const 1))) (loop $escaped (br $escaped)) (unreachable))

;; case: clock that is not granted -> raised
;; wit: wasi:clocks@0.2.0 monotonic-clock now: func() -> u64;
(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $attempt (result i64)))
(func $case (result i32) (drop (call $attempt)) (loop $escaped (br $escaped)) (unreachable))

;; case: clock that blocks -> raised
;; wit: wasi:clocks@0.2.0 monotonic-clock subscribe-duration: func(when: u64) -> u32;
(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $attempt (param i64) (result i32)))
(func $case (result i32) (drop (call $attempt (i64.const 1))) (loop $escaped (br $escaped)) (unreachable))

;; case: random that is not granted -> raised
;; wit: wasi:random@0.2.0 random get-random-u64: func() -> u64;
(import "wasi:random/random@0.2.0" "get-random-u64" (func $attempt (result i64)))
(func $case (result i32) (drop (call $attempt)) (loop $escaped (br $escaped)) (unreachable))

;; case: keys of a store -> raised
;; wit: wasi:keyvalue@0.2.0 store open: func(name: string) -> u32;
(import "wasi:keyvalue/store@0.2.0" "open" (func $attempt (param i32 i32) (result i32)))
(func $case (result i32) (drop (call $attempt (i32.const 128) (i32.const 4))) (loop $escaped (br $escaped)) (unreachable))
