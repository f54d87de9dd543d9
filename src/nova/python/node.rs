//! The untyped tree between a format and the rules: JSON and YAML both become this.

use serde_json::Value as Json;

use crate::nova::python::{number, words};
use crate::text::{Span, Spanned};

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands, quotes and brackets included.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of any size, as Python prints it.
    Int(String),
    /// Any other number, `NaN` and the infinities included.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// Members in file order; a key may come twice, then the last one counts.
    Object(Vec<Member>),
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The member of that name that counts: the last one.
    pub fn get(&self, key: &str) -> Option<&Member> {
        match &self.value {
            Value::Object(members) => members.iter().rev().find(|m| m.key.value == key),
            _ => None,
        }
    }

    /// Members that count, each name once, by first appearance.
    pub fn members(&self) -> Vec<&Member> {
        let Value::Object(members) = &self.value else { return Vec::new() };
        let mut seen = std::collections::HashMap::new();
        let mut kept: Vec<&Member> = Vec::with_capacity(members.len());
        for member in members {
            match seen.entry(member.key.value.as_str()) {
                std::collections::hash_map::Entry::Occupied(at) => kept[*at.get()] = member,
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(kept.len());
                    kept.push(member);
                }
            }
        }
        kept
    }

    /// Its text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether Python takes it for true.
    pub fn truthy(&self) -> bool {
        match &self.value {
            Value::Null => false,
            Value::Bool(b) => *b,
            Value::Int(text) => text != "0",
            Value::Float(f) => *f != 0.0,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
        }
    }

    /// Python's `str(value)`.
    pub fn python_str(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            _ => self.python_repr(),
        }
    }

    /// Python's `repr(value)`.
    pub fn python_repr(&self) -> String {
        match &self.value {
            Value::Null => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(text) => text.clone(),
            Value::Float(f) if f.is_nan() => "nan".to_owned(),
            Value::Float(f) if f.is_infinite() => if *f > 0.0 { "inf" } else { "-inf" }.to_owned(),
            Value::Float(f) => format!("{f:?}"),
            Value::String(text) => words::repr(text),
            Value::Array(items) => {
                format!("[{}]", items.iter().map(Node::python_repr).collect::<Vec<_>>().join(", "))
            }
            Value::Object(_) => {
                let members: Vec<String> = self
                    .members()
                    .iter()
                    .map(|m| format!("{}: {}", words::repr(&m.key.value), m.value.python_repr()))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }

    /// The same value without places. Numbers that JSON has no form for are marked as such.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(text) => text
                .parse::<i64>()
                .map(Json::from)
                .or_else(|_| text.parse::<u64>().map(Json::from))
                .unwrap_or_else(|_| number::beyond_json(text)),
            Value::Float(f) => {
                serde_json::Number::from_f64(*f).map_or_else(|| number::beyond_json(&self.python_repr()), Json::Number)
            }
            Value::String(text) => Json::String(text.clone()),
            Value::Array(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Object(_) => {
                Json::Object(self.members().iter().map(|m| (m.key.value.clone(), m.value.to_json())).collect())
            }
        }
    }

    /// What kind of value it is, in the words of JSON.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}
