//! Core modules as text: the tables of a plugin as data, the functions as WAT.

use std::fmt::Write as _;

use hookmq_plugin_api::{Field, Hook};

/// Where the tables lie.
const PLUGIN: usize = 16;
const LISTENS: usize = 64;
const FIELDS: usize = 1_024;
/// Free for the test's own data.
pub(crate) const DATA: usize = 2_048;
/// Where the inbox of [`Guest::wat`] lies: it may grow to the end of the memory.
pub(crate) const INBOX: usize = 65_536;

/// A module in the making.
pub(crate) struct Guest {
    listens: Vec<(u32, u32, Vec<u32>)>,
    imports: String,
    data: String,
    functions: String,
    call: String,
    memory: String,
    inbox: String,
    version: u32,
}

impl Guest {
    /// Listens to a hook with these fields, and passes.
    pub(crate) fn new(hook: Hook, fields: &[Field]) -> Self {
        Self {
            listens: Vec::new(),
            imports: String::new(),
            data: String::new(),
            functions: String::new(),
            call: "i32.const 0".into(),
            memory: "(memory (export \"memory\") 4)".into(),
            inbox: format!("i32.const {INBOX}"),
            version: 1,
        }
        .listen(hook, fields)
    }

    /// Listens to one more.
    pub(crate) fn listen(self, hook: Hook, fields: &[Field]) -> Self {
        let fields = fields.iter().map(|field| *field as u32).collect();
        self.raw_listen(hook as u32, 0, fields)
    }

    /// Any numbers, right or wrong.
    pub(crate) fn raw_listen(mut self, hook: u32, flags: u32, fields: Vec<u32>) -> Self {
        self.listens.push((hook, flags, fields));
        self
    }

    /// An import with its parameters and results, as in `(param i32) (result i32)`.
    pub(crate) fn import(mut self, module: &str, name: &str, signature: &str) -> Self {
        writeln!(
            self.imports,
            "(import \"{module}\" \"{name}\" (func ${name} {signature}))"
        )
        .unwrap();
        self
    }

    /// Bytes at an address, as they stand in a WAT string.
    pub(crate) fn data(mut self, at: usize, text: &str) -> Self {
        writeln!(self.data, "(data (i32.const {at}) \"{text}\")").unwrap();
        self
    }

    /// 32-bit words at an address.
    pub(crate) fn words(mut self, at: usize, words: &[u32]) -> Self {
        let text = bytes(words);
        writeln!(self.data, "(data (i32.const {at}) \"{text}\")").unwrap();
        self
    }

    /// Any more items of the module.
    pub(crate) fn functions(mut self, text: &str) -> Self {
        self.functions.push_str(text);
        self
    }

    /// The body of `hookmq_call(listen: i32, event: i32) -> i32`.
    pub(crate) fn call(mut self, body: &str) -> Self {
        self.call = body.into();
        self
    }

    /// The body of `hookmq_inbox(size: i32) -> i32`.
    pub(crate) fn inbox(mut self, body: &str) -> Self {
        self.inbox = body.into();
        self
    }

    /// In place of a memory of four pages.
    pub(crate) fn memory(mut self, text: &str) -> Self {
        self.memory = text.into();
        self
    }

    /// The ABI's version that it claims.
    pub(crate) fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The module.
    pub(crate) fn wat(&self) -> String {
        let mut tables = String::new();
        let plugin = [
            40,
            self.version,
            0,
            0,
            0,
            0,
            LISTENS as u32,
            self.listens.len() as u32,
            0,
            0,
        ];
        write!(tables, "(data (i32.const {PLUGIN}) \"{}\")", bytes(&plugin)).unwrap();
        let mut fields_at = FIELDS;
        for (index, (hook, flags, fields)) in self.listens.iter().enumerate() {
            let at = LISTENS + index * 24;
            let listen = [24, *hook, *flags, fields.len() as u32, fields_at as u32, 0];
            write!(tables, "(data (i32.const {at}) \"{}\")", bytes(&listen)).unwrap();
            write!(
                tables,
                "(data (i32.const {fields_at}) \"{}\")",
                bytes(fields)
            )
            .unwrap();
            fields_at += fields.len() * 4;
        }
        format!(
            "(module {imports} {memory} {tables} {data} {functions}
                (func (export \"hookmq_plugin_v1\") (result i32) i32.const {PLUGIN})
                (func $inbox (export \"hookmq_inbox\") (param $size i32) (result i32) {inbox})
                (func $call (export \"hookmq_call\") (param $listen i32) (param $event i32) (result i32) {call}))",
            imports = self.imports,
            memory = self.memory,
            data = self.data,
            functions = self.functions,
            inbox = self.inbox,
            call = self.call,
        )
    }
}

fn bytes(words: &[u32]) -> String {
    let mut text = String::new();
    for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
        write!(text, "\\{byte:02x}").unwrap();
    }
    text
}

/// Instructions that leave the address of the `index`th declared value.
pub(crate) fn value(index: usize) -> String {
    format!(
        "(i32.add (i32.load offset=16 (local.get $event)) (i32.const {}))",
        index * 16
    )
}
