//! Components as text: a core module inside, lifted to a hook's interface.

/// The types of `types.wit` that an answer is made of, each under its name.
const TYPES: &str = r#"
  (import "hookmq:plugin/types@1.0.0" (instance $types
    (type $pair' (tuple string string))
    (type $subscription' (record (field "topic-filter" string) (field "qos" u8) (field "no-local" bool)
      (field "retain-as-published" bool) (field "retain-handling" u8) (field "subscription-identifier" (option u32))))
    (export "subscription" (type $subscription (eq $subscription')))
    (type $message' (record (field "topic" string) (field "payload" (list u8)) (field "qos" u8) (field "retain" bool)
      (field "payload-format" (option u8)) (field "message-expiry-interval" (option u32)) (field "content-type" (option string))
      (field "response-topic" (option string)) (field "correlation-data" (option (list u8)))
      (field "user-properties" (list $pair')) (field "sender-client-id" (option string))))
    (export "message" (type $message (eq $message')))
    (type $field' FIELDS)
    (export "field" (type $field (eq $field')))
    (type $refusal' (record (field "reason-code" u8) (field "reason-string" (option string))
      (field "server-reference" (option string)) (field "user-properties" (list $pair')) (field "place" (option string))))
    (export "refusal" (type $refusal (eq $refusal')))
    (type $verdict' (variant (case "pass") (case "accept") (case "deny" $refusal) (case "drop" (option $refusal))
      (case "consume") (case "disconnect" $refusal)))
    (export "verdict" (type $verdict (eq $verdict')))
    (type $change' CHANGES)
    (export "change" (type $change (eq $change')))
    (type $keep' (record (field "ttl-ms" u64) (field "tags" (list string))))
    (export "keep" (type $keep (eq $keep')))
    (type $answer' (record (field "verdict" $verdict) (field "changes" (list $change)) (field "keep" (option $keep))))
    (export "answer" (type $answer (eq $answer')))
    (type $value' (variant (case "nil") (case "boolean" bool) (case "integer" s64) (case "text" string) (case "bytes" (list u8))
      (case "pairs" (list $pair')) (case "subscriptions" (list $subscription)) (case "messages" (list $message))))
    (export "value" (type $value (eq $value')))
    (type $error-kind' (enum "not-granted" "limit" "argument" "depth" "stopping"))
    (export "error-kind" (type $error-kind (eq $error-kind')))
    (type $host-error' (record (field "kind" $error-kind) (field "message" string)))
    (export "host-error" (type $host-error (eq $host-error')))
  ))
  (alias export $types "answer" (type $answer))
  (alias export $types "field" (type $field))
  (alias export $types "value" (type $value))
  (alias export $types "subscription" (type $subscription))
  (alias export $types "message" (type $message))
  (alias export $types "host-error" (type $host-error))
"#;

fn types() -> String {
    use hookmq_plugin_api::catalogue::HOOKS;
    use hookmq_plugin_api::field::FIELDS;
    let kebab = |name: &str| name.replace('_', "-");
    let names: Vec<_> = FIELDS
        .iter()
        .map(|spec| format!("\"{}\"", kebab(spec.name)))
        .collect();
    let changes: Vec<_> = FIELDS
        .iter()
        .filter(|spec| HOOKS.iter().any(|hook| hook.may_change(spec.field)))
        .map(|spec| format!("(case \"{}\" {})", kebab(spec.name), wit_type(spec.name)))
        .collect();
    TYPES
        .replace("FIELDS", &format!("(enum {})", names.join(" ")))
        .replace(
            "CHANGES",
            &format!("(variant {} (case \"removed\" $field))", changes.join(" ")),
        )
}

/// The type of a change, by `types.wit`.
fn wit_type(name: &str) -> &'static str {
    match name {
        "keep_alive" | "receive_maximum" | "topic_alias_maximum" => "u16",
        "maximum_qos" | "qos" | "payload_format" | "retain_handling" | "reason_code" => "u8",
        "session_expiry_interval"
        | "maximum_packet_size"
        | "will_delay_interval"
        | "message_expiry_interval"
        | "subscription_identifier" => "u32",
        "retain" | "no_local" | "retain_as_published" => "bool",
        "authentication_data" | "payload" | "correlation_data" => "(list u8)",
        "user_properties" | "response_user_properties" => "(list $pair')",
        "subscriptions" => "(list $subscription)",
        "messages" => "(list $message)",
        _ => "string",
    }
}

/// One imported function.
struct Function {
    from: String,
    name: String,
    kind: String,
    core: String,
}

/// A component in the making.
pub(crate) struct Component {
    interface: String,
    params: &'static str,
    imports: Vec<Function>,
    types: Vec<(String, String, String)>,
    data: String,
    call: String,
    functions: String,
    has_answer: bool,
}

impl Component {
    /// Answers a hook that is handed a text; passes.
    pub(crate) fn new(hook: &str) -> Self {
        Self {
            interface: hook.replace('_', "-"),
            params: "(param \"topic\" string)",
            imports: Vec::new(),
            types: Vec::new(),
            data: String::new(),
            call: "i32.const 4096".into(),
            functions: String::new(),
            has_answer: true,
        }
    }

    /// A notice.
    pub(crate) fn notice(mut self) -> Self {
        self.has_answer = false;
        self.call = String::new();
        self
    }

    /// A hook that is handed no text.
    pub(crate) fn plain(mut self) -> Self {
        self.params = "";
        self
    }

    /// Imports a function of a `hookmq:plugin` interface: its component type, and its core signature.
    pub(crate) fn import(self, interface: &str, name: &str, kind: &str, core: &str) -> Self {
        self.import_from(
            &format!("hookmq:plugin/{interface}@1.0.0"),
            name,
            kind,
            core,
        )
    }

    /// The same of any interface.
    pub(crate) fn import_from(mut self, from: &str, name: &str, kind: &str, core: &str) -> Self {
        let function = Function {
            from: from.into(),
            name: name.into(),
            kind: kind.into(),
            core: core.into(),
        };
        self.imports.push(function);
        self
    }

    /// Types that an interface's functions need, as items of its instance type.
    pub(crate) fn types_of(self, interface: &str, text: &str) -> Self {
        self.types_from(&format!("hookmq:plugin/{interface}@1.0.0"), text, "")
    }

    /// The same of any interface; `behind` are items that follow its import, where it is `$types'` by then.
    pub(crate) fn types_from(mut self, from: &str, text: &str, behind: &str) -> Self {
        self.types.push((from.into(), text.into(), behind.into()));
        self
    }

    /// Bytes at an address.
    pub(crate) fn data(mut self, at: usize, text: &str) -> Self {
        self.data
            .push_str(&format!("(data (i32.const {at}) \"{text}\")\n"));
        self
    }

    /// The body of the handler: `(param $topic i32) (param $len i32)`, and a result that is the address of an answer.
    pub(crate) fn call(mut self, body: &str) -> Self {
        self.call = body.into();
        self
    }

    pub(crate) fn functions(mut self, text: &str) -> Self {
        self.functions = text.into();
        self
    }

    /// Addresses above 16 KiB are handed out by `realloc`, round about.
    pub(crate) fn wat(&self) -> String {
        let mut lowered = String::new();
        let mut interfaces: Vec<&str> = Vec::new();
        let typed = self.types.iter().map(|(from, ..)| from.as_str());
        for from in typed.chain(self.imports.iter().map(|one| one.from.as_str())) {
            if !interfaces.contains(&from) {
                interfaces.push(from);
            }
        }
        for (at, from) in interfaces.iter().enumerate() {
            let functions: String = self
                .imports
                .iter()
                .filter(|one| one.from == *from)
                .map(|one| format!("(export \"{}\" (func {}))", one.name, one.kind))
                .collect();
            let (types, behind): (String, String) = self
                .types
                .iter()
                .filter(|(interface, ..)| interface == from)
                .map(|(_, text, behind)| (text.as_str(), behind.as_str()))
                .unzip();
            let behind = behind.replace("$types'", &format!("$i{at}"));
            lowered +=
                &format!("(import \"{from}\" (instance $i{at} {types} {functions})) {behind}\n");
        }
        for (at, one) in self.imports.iter().enumerate() {
            let from = interfaces
                .iter()
                .position(|from| *from == one.from)
                .unwrap();
            lowered += &format!(
                "(alias export $i{from} \"{}\" (func $f{at}'))
                (core func $f{at} (canon lower (func $f{at}') (memory $memory) (realloc $realloc)))\n",
                one.name
            );
        }
        let imported: String = self
            .imports
            .iter()
            .map(|one| {
                let Function {
                    from, name, core, ..
                } = one;
                format!("(import \"{from}\" \"{name}\" (func ${name} {core}))")
            })
            .collect();
        let given: String = interfaces
            .iter()
            .filter(|from| self.imports.iter().any(|one| one.from == **from))
            .map(|from| {
                let exports: String = self
                    .imports
                    .iter()
                    .enumerate()
                    .filter(|(_, one)| one.from == *from)
                    .map(|(at, one)| format!("(export \"{}\" (func $f{at}))", one.name))
                    .collect();
                format!("(with \"{from}\" (instance {exports}))")
            })
            .collect();
        let (core_result, result) = match self.has_answer {
            true => ("(result i32)", "(result $answer)"),
            false => ("", ""),
        };
        let types = types();
        format!(
            r#"(component {types}
            (core module $Libc
                (memory (export "memory") 4)
                (global $next (mut i32) (i32.const 16384))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (if (i32.gt_u (i32.add (global.get $next) (local.get 3)) (i32.const 250000))
                        (then (global.set $next (i32.const 16384))))
                    (local.set $at (global.get $next))
                    (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 15)) (i32.const -8)))
                    (local.get $at)))
            (core instance $libc (instantiate $Libc))
            (alias core export $libc "memory" (core memory $memory))
            (alias core export $libc "realloc" (core func $realloc))
            {lowered}
            (core module $Main
                (import "libc" "memory" (memory 4))
                {imported}
                {data}
                {functions}
                (func $call (export "call") {core_params} {core_result} {call}))
            (core instance $main (instantiate $Main
                (with "libc" (instance $libc))
                {given}))
            (alias core export $main "call" (core func $called))
            (func $call {params} {result}
                (canon lift (core func $called) (memory $memory) (realloc $realloc)))
            (instance $hook (export "{interface}" (func $call)))
            (export "hookmq:plugin/{interface}@1.0.0" (instance $hook)))"#,
            data = self.data,
            functions = self.functions,
            call = self.call,
            params = self.params,
            core_params = if self.params.is_empty() {
                ""
            } else {
                "(param $topic i32) (param $len i32)"
            },
            interface = self.interface,
        )
    }
}
