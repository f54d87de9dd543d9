//! A small HTTP server inside the test, which answers as it is told: only what a real service cannot be made to do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) body: String,
}

/// What is answered: status, headers, body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, Value);

/// A server and what it was asked.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stand {
    /// Answers every request by this function until the test ends; status 0 cuts the connection instead.
    pub(crate) fn new(answer: impl Fn(&Asked, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, own) = (Arc::clone(&asked), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let mut words = line.split_whitespace().map(str::to_owned);
                let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let (mut length, mut token) = (0, None);
                loop {
                    let mut header = String::new();
                    if reader.read_line(&mut header).unwrap() == 0 || header == "\r\n" {
                        break;
                    }
                    let (name, value) = header.trim().split_once(": ").unwrap();
                    match name.to_ascii_lowercase().as_str() {
                        "content-length" => length = value.parse().unwrap(),
                        "x-auth-token" => token = Some(value.to_owned()),
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let request = Asked { method, path, token, body: String::from_utf8(body).unwrap() };
                let (status, headers, body) = answer(&request, &own);
                seen.lock().unwrap().push(request);
                if status == 0 {
                    continue;
                }
                let body = body.to_string();
                let mut text =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
                for (name, value) in headers {
                    text = format!("{text}{name}: {value}\r\n");
                }
                // A client that has gone away has given up.
                let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes());
            }
        });
        Self { url, asked }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// What Keystone and Nova's version document answer when nothing is wrong.
pub(crate) fn usual(asked: &Asked, url: &str) -> Option<Answer> {
    match asked.path.as_str() {
        "/v3/auth/tokens" => {
            let of = |kind: &str, path: &str| json!({"type": kind, "endpoints": [{"interface": "public", "region": "R", "url": format!("{url}{path}")}]});
            let body = json!({"token": {"catalog": [of("compute", "/v2.1"), of("network", "")]}});
            Some((201, vec![("X-Subject-Token", "token-1".to_owned())], body))
        }
        "/v2.1/" => Some((200, Vec::new(), json!({"version": {"min_version": "2.1", "version": "2.104"}}))),
        _ => None,
    }
}
