//! The names of a script's parameters, read from its source: Luau tells how many a function has, not what they are called.
//!
//! A small lexer that knows comments, strings (long and interpolated ones too) and type annotations, and looks for nothing but
//! `function` and for uses of `msg` and `client`. Whether the source is valid is the compiler's business.

use std::collections::HashSet;

/// One function of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionOutline {
    /// The line of the word `function`, which is what Luau says of the function too.
    pub(crate) line: usize,
    /// The last part of its name, where it has one: `M.intercept_publish` is `intercept_publish`.
    pub(crate) name: Option<String>,
    /// Whether it was written with a colon, which adds `self` in front.
    pub(crate) is_method: bool,
    /// Parameters with their lines; `...` is one of them.
    pub(crate) params: Vec<(String, usize)>,
}

/// What a source shows without being run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    pub(crate) functions: Vec<FunctionOutline>,
    /// Names read as `msg.name`; `None` if `msg` is used in another way, so that it may be any.
    pub(crate) msg: Option<Vec<String>>,
    /// The same of `client`.
    pub(crate) client: Option<Vec<String>>,
    /// What is named of `broker`, with its line: `publish` of `broker.publish`, `kv.add` of `broker.kv.add`.
    pub(crate) broker: Vec<(String, usize)>,
}

impl Outline {
    pub(crate) fn of(source: &str) -> Self {
        let tokens = Lexer::new(source).tokens();
        let mut functions = Vec::new();
        let mut params_at = HashSet::new();
        for at in 0..tokens.len() {
            if is_word(&tokens, at, "function")
                && let Some(function) = function_at(&tokens, at, &mut params_at)
            {
                functions.push(function);
            }
        }
        Self {
            msg: members(&tokens, "msg", &params_at),
            client: members(&tokens, "client", &params_at),
            broker: paths(&tokens, "broker", &params_at),
            functions,
        }
    }

    /// The function that is defined on this line; by name if there are several.
    pub(crate) fn find(&self, line: usize, name: &str) -> Option<&FunctionOutline> {
        let mut here = self
            .functions
            .iter()
            .filter(|function| function.line == line);
        let first = here.next()?;
        if here.next().is_none() {
            return Some(first);
        }
        let mut named = self
            .functions
            .iter()
            .filter(|function| function.line == line && function.name.as_deref() == Some(name));
        let found = named.next()?;
        named.next().is_none().then_some(found)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Word(String),
    Text(String),
    Sign(&'static str),
    Other,
}

#[derive(Debug)]
struct Token {
    kind: Kind,
    line: usize,
}

const SIGNS: [&str; 16] = [
    "...", "..", "->", "::", "==", "(", ")", "[", "]", "{", "}", "<", ">", "=", ",", ":",
];

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
    /// Interpolated strings around here.
    depth: usize,
}

/// Tokens of a function's name, generics, parameters and their types; a longer head is not read.
const MAX_HEAD: usize = 1_000;

/// Strings in strings beyond this are not looked into.
const MAX_DEPTH: usize = 50;

impl<'a> Lexer<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            rest: source,
            line: 1,
            tokens: Vec::new(),
            depth: 0,
        }
    }

    fn tokens(mut self) -> Vec<Token> {
        self.run(false);
        self.tokens
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        if next == '\n' {
            self.line += 1;
        }
        Some(next)
    }

    fn skip(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.line += text.matches('\n').count();
        self.rest = rest;
        true
    }

    fn push(&mut self, kind: Kind, line: usize) {
        self.tokens.push(Token { kind, line });
    }

    /// Until the end, or until the brace that closes an interpolated expression.
    fn run(&mut self, in_braces: bool) {
        let mut depth = 0usize;
        while let Some(next) = self.peek() {
            let line = self.line;
            if next.is_whitespace() {
                self.bump();
            } else if self.skip("--") {
                if self.long_bracket().is_none() {
                    while self.peek().is_some_and(|next| next != '\n') {
                        self.bump();
                    }
                }
            } else if next.is_ascii_alphabetic() || next == '_' {
                let word = self.take_while(|next| next.is_ascii_alphanumeric() || next == '_');
                self.push(Kind::Word(word), line);
            } else if next.is_ascii_digit() {
                self.take_while(|next| next.is_ascii_alphanumeric() || next == '_' || next == '.');
                self.push(Kind::Other, line);
            } else if next == '"' || next == '\'' {
                let text = self.quoted(next);
                self.push(Kind::Text(text), line);
            } else if next == '`' {
                self.interpolated();
                self.push(Kind::Other, line);
            } else if next == '['
                && let Some(text) = self.long_bracket()
            {
                self.push(Kind::Text(text), line);
            } else if let Some(sign) = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
                if in_braces && sign == "}" && depth == 0 {
                    return;
                }
                match sign {
                    "{" => depth += 1,
                    "}" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                self.skip(sign);
                self.push(Kind::Sign(sign), line);
            } else {
                self.bump();
                self.push(
                    if next == '.' {
                        Kind::Sign(".")
                    } else {
                        Kind::Other
                    },
                    line,
                );
            }
        }
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.peek().filter(|next| wanted(*next)) {
            taken.push(next);
            self.bump();
        }
        taken
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        self.bump();
        while let Some(next) = self.bump() {
            if next == quote || next == '\n' {
                break;
            }
            if next == '\\' {
                self.escaped();
            } else {
                text.push(next);
            }
        }
        text
    }

    fn escaped(&mut self) {
        if self.bump() == Some('z') {
            self.take_while(char::is_whitespace);
        }
    }

    fn interpolated(&mut self) {
        self.bump();
        while let Some(next) = self.bump() {
            match next {
                '`' => return,
                '\\' => self.escaped(),
                '{' if self.depth < MAX_DEPTH => {
                    self.depth += 1;
                    self.run(true);
                    self.depth -= 1;
                    self.skip("}");
                }
                _ => {}
            }
        }
    }

    /// `[[ ... ]]` or `[==[ ... ]==]`, if one starts here.
    fn long_bracket(&mut self) -> Option<String> {
        let level = self.rest.strip_prefix('[')?.find(|next| next != '=')?;
        let open = format!("[{}[", "=".repeat(level));
        if !self.rest.starts_with(&open) {
            return None;
        }
        self.skip(&open);
        let close = format!("]{}]", "=".repeat(level));
        let end = self.rest.find(&close).unwrap_or(self.rest.len());
        let (text, _) = self.rest.split_at(end);
        self.skip(text);
        self.skip(&close);
        Some(text.to_owned())
    }
}

fn is_word(tokens: &[Token], at: usize, word: &str) -> bool {
    matches!(tokens.get(at), Some(Token { kind: Kind::Word(found), .. }) if found == word)
}

fn is_sign(tokens: &[Token], at: usize, sign: &str) -> bool {
    matches!(tokens.get(at), Some(Token { kind: Kind::Sign(found), .. }) if *found == sign)
}

fn word_at(tokens: &[Token], at: usize) -> Option<&str> {
    match &tokens.get(at)?.kind {
        Kind::Word(word) => Some(word),
        _ => None,
    }
}

/// The function whose word `function` stands at `start`.
fn function_at(
    tokens: &[Token],
    start: usize,
    params_at: &mut HashSet<usize>,
) -> Option<FunctionOutline> {
    let mut at = start + 1;
    let mut name = None;
    let mut is_method = false;
    while at < start + MAX_HEAD
        && let Some(word) = word_at(tokens, at)
    {
        name = Some(word.to_owned());
        at += 1;
        if is_sign(tokens, at, ".") || is_sign(tokens, at, ":") {
            is_method = is_sign(tokens, at, ":");
            at += 1;
        }
    }
    if name.is_none() {
        name = assigned_name(tokens, start);
    }
    if is_sign(tokens, at, "<") {
        at = after_generics(tokens, at, start + MAX_HEAD)?;
    }
    if !is_sign(tokens, at, "(") {
        return None;
    }
    at += 1;
    let mut params = Vec::new();
    while !is_sign(tokens, at, ")") {
        let token = tokens.get(at)?;
        match &token.kind {
            Kind::Word(word) if word != "function" => params.push((word.clone(), token.line)),
            Kind::Sign("...") => params.push(("...".to_owned(), token.line)),
            _ => return None,
        }
        params_at.insert(at);
        at = after_annotation(tokens, at + 1, start + MAX_HEAD)?;
        if is_sign(tokens, at, ",") {
            at += 1;
        }
    }
    Some(FunctionOutline {
        line: tokens.get(start)?.line,
        name,
        is_method,
        params,
    })
}

/// `name = function`, `M.name = function`, `["name"] = function`.
fn assigned_name(tokens: &[Token], function: usize) -> Option<String> {
    let equals = function.checked_sub(1)?;
    if !is_sign(tokens, equals, "=") {
        return None;
    }
    let before = equals.checked_sub(1)?;
    if let Some(word) = word_at(tokens, before) {
        return Some(word.to_owned());
    }
    match tokens.get(before.checked_sub(1)?) {
        Some(Token {
            kind: Kind::Text(text),
            ..
        }) if is_sign(tokens, before, "]") => Some(text.clone()),
        _ => None,
    }
}

fn after_generics(tokens: &[Token], mut at: usize, most: usize) -> Option<usize> {
    let mut depth = 0usize;
    while at < most {
        match &tokens.get(at)?.kind {
            Kind::Sign("<") => depth += 1,
            Kind::Sign(">") => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The comma or closing parenthesis after a parameter, past its type.
fn after_annotation(tokens: &[Token], mut at: usize, most: usize) -> Option<usize> {
    let mut depth = 0usize;
    while at < most {
        match &tokens.get(at)?.kind {
            Kind::Sign("," | ")") if depth == 0 => return Some(at),
            Kind::Sign("(" | "{" | "[" | "<") => depth += 1,
            Kind::Sign(")" | "}" | "]" | ">") => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The members read of `word`, unless it is used as a whole somewhere.
fn members(tokens: &[Token], word: &str, params_at: &HashSet<usize>) -> Option<Vec<String>> {
    let mut members = Vec::new();
    for at in 0..tokens.len() {
        let is_member = at > 0 && (is_sign(tokens, at - 1, ".") || is_sign(tokens, at - 1, ":"));
        if !is_word(tokens, at, word) || is_member || params_at.contains(&at) {
            continue;
        }
        if !is_sign(tokens, at + 1, ".") {
            return None;
        }
        members.push(word_at(tokens, at + 2)?.to_owned());
    }
    Some(members)
}

/// The members named of `word`, two deep, with their lines.
fn paths(tokens: &[Token], word: &str, params_at: &HashSet<usize>) -> Vec<(String, usize)> {
    let mut paths = Vec::new();
    for at in 0..tokens.len() {
        let is_member = at > 0 && (is_sign(tokens, at - 1, ".") || is_sign(tokens, at - 1, ":"));
        if !is_word(tokens, at, word) || is_member || params_at.contains(&at) {
            continue;
        }
        let part = |dot: usize| {
            let name = word_at(tokens, dot + 1)?;
            is_sign(tokens, dot, ".").then_some(name)
        };
        if let (Some(first), Some(token)) = (part(at + 1), tokens.get(at)) {
            let path = match part(at + 3) {
                Some(second) => format!("{first}.{second}"),
                None => first.to_owned(),
            };
            paths.push((path, token.line));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<(usize, Option<String>, Vec<String>)> {
        Outline::of(source)
            .functions
            .into_iter()
            .map(|function| {
                let params = function.params.into_iter().map(|(name, _)| name).collect();
                (function.line, function.name, params)
            })
            .collect()
    }

    fn check(source: &str, line: usize, name: Option<&str>, params: &[&str]) {
        let found = names(source);
        let params: Vec<String> = params.iter().map(ToString::to_string).collect();
        assert!(
            found.contains(&(line, name.map(str::to_owned), params)),
            "{source}: {found:?}"
        );
    }

    #[test]
    fn every_way_to_write_a_handler_is_understood() {
        check("function M.a(topic, qos)", 1, Some("a"), &["topic", "qos"]);
        check("\n\nM.a = function(topic)", 3, Some("a"), &["topic"]);
        check(
            "return { a = function(topic) end }",
            1,
            Some("a"),
            &["topic"],
        );
        check(
            "return { ['a'] = function(topic) end }",
            1,
            Some("a"),
            &["topic"],
        );
        check("local function a()", 1, Some("a"), &[]);
        check(
            "function a(\n  topic,\n  qos\n)",
            1,
            Some("a"),
            &["topic", "qos"],
        );
        check("f(function(...) end)", 1, None, &["..."]);
    }

    #[test]
    fn types_are_skipped() {
        check(
            "function M.a(topic: string, f: (number, {[string]: number}) -> (), qos: Map<string, number>?): nil",
            1,
            Some("a"),
            &["topic", "f", "qos"],
        );
        check("function M.a<T, U...>(topic: T)", 1, Some("a"), &["topic"]);
    }

    #[test]
    fn comments_and_strings_do_not_confuse_it() {
        let source = "--[[ function M.no(x) ]] --[==[\n function no(y) ]] ]==]\n\
            local a = 'function no(z)' .. \"\\\"function no(q)\" .. [[\nfunction no(w)]]\n\
            -- function no(v)\nlocal s = `{(function(inner) return inner end)(1)} function no(u)`\n\
            function M.yes(topic --[[ here ]], -- and here\n qos)\nend";
        let found = names(source);
        assert_eq!(found.len(), 2, "{found:?}");
        check(source, 6, None, &["inner"]);
        check(source, 7, Some("yes"), &["topic", "qos"]);
    }

    #[test]
    fn broken_sources_come_to_an_end() {
        let source = "M.a = function(x: { [string]: (y) -> z }, ...) [[ x ]] `a{`b{c}`}` --[==[ é ]==] ['k'] = function<T>(u) '\\z \n'";
        for (at, _) in source.char_indices() {
            let (head, tail) = source.split_at(at);
            Outline::of(head);
            Outline::of(tail);
        }
        Outline::of(&"`{".repeat(100_000));
        Outline::of(&"{".repeat(100_000));
        Outline::of(&"function(".repeat(100_000));
        Outline::of(&"function(x: (".repeat(50_000));
        Outline::of(&"function a<".repeat(50_000));
        Outline::of(&"[=".repeat(100_000));
        Outline::of(&"--[=".repeat(100_000));
    }

    #[test]
    fn uses_of_msg_are_listed_unless_it_leaves_our_sight() {
        let seen = |source| Outline::of(source).msg;
        assert_eq!(
            seen("function M.a(msg) return msg.topic .. x.msg end"),
            Some(vec!["topic".to_owned()])
        );
        assert_eq!(seen("function M.a(msg) f(msg) end"), None);
        assert_eq!(seen("function M.a(msg) return msg[name] end"), None);
    }

    #[test]
    fn what_is_named_of_broker_is_listed_with_its_line() {
        let source = "local kv = broker.kv -- broker.publish\nlocal s = 'broker.client'\n\
            x.broker.session()\nfunction M.a(broker) end\nreturn `{broker.kv.add('a')}`, broker.publish { }, broker";
        let seen = Outline::of(source).broker;
        let expected = [("kv", 1), ("kv.add", 5), ("publish", 5)];
        assert_eq!(seen, expected.map(|(path, line)| (path.to_owned(), line)));
    }

    #[test]
    fn two_on_one_line_are_told_apart_by_name() {
        let outline = Outline::of("return { a = function(x) end, b = function(y) end }");
        assert_eq!(outline.find(1, "b").unwrap().params[0].0, "y");
        assert_eq!(outline.find(1, "c"), None);
    }
}
