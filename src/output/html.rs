//! One page of HTML that needs nothing else: no script, no other file, readable on paper and in the dark. Beside every colour
//! stands a word.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::text::printable;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--line:#c4c4c4;--head:#f0f0f0;--good:#075e2b;--bad:#9b1111;--open:#704c00}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#171717;--line:#4a4a4a;--head:#262626;--good:#86dca2;--bad:#ff9b9b;--open:#f2c866}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:1.5rem auto;max-width:75rem;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:1.6rem}p,li{max-width:50rem;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{border:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}th{background:var(--head)}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}.open{color:var(--open)}
@media print{body{margin:0;max-width:none;font-size:10pt}.wide{overflow:visible}thead{display:table-header-group}tr{break-inside:avoid}}
";

/// What a cell's colour says; its text says it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    Plain,
    /// Yes.
    Good,
    /// No.
    Bad,
    /// Nobody knows.
    Open,
}

/// A cell.
pub(crate) type Cell<'a> = (Cow<'a, str>, Mark);

/// A page as it is written.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
}

impl Page {
    /// An empty one under this title.
    pub(crate) fn new(title: &str) -> Self {
        let title = escaped(title);
        let text = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        );
        Self { text }
    }

    /// A heading.
    pub(crate) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "<h2>{}</h2>", escaped(text));
    }

    /// A paragraph; none where there is no text.
    pub(crate) fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.text, "<p>{}</p>", escaped(text));
        }
    }

    /// A list under a heading; neither where it is empty.
    pub(crate) fn list(&mut self, heading: &str, items: impl IntoIterator<Item = String>) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return;
        }
        self.heading(heading);
        self.text.push_str("<ul>\n");
        for item in items {
            let _ = writeln!(self.text, "<li>{}</li>", escaped(&item));
        }
        self.text.push_str("</ul>\n");
    }

    /// A table; the first cell of each row is its head. None without rows.
    pub(crate) fn table(&mut self, heads: &[&str], rows: &[Vec<Cell<'_>>]) {
        if rows.is_empty() {
            return;
        }
        self.text.push_str("<div class=\"wide\"><table>\n<thead><tr>");
        for head in heads {
            let _ = write!(self.text, "<th scope=\"col\">{}</th>", escaped(head));
        }
        self.text.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.text.push_str("<tr>");
            for (at, (cell, mark)) in row.iter().enumerate() {
                let cell = escaped(cell);
                let _ = match (at, mark) {
                    (0, _) => write!(self.text, "<th scope=\"row\">{cell}</th>"),
                    (_, Mark::Plain) => write!(self.text, "<td>{cell}</td>"),
                    (_, Mark::Good) => write!(self.text, "<td class=\"good\">{cell}</td>"),
                    (_, Mark::Bad) => write!(self.text, "<td class=\"bad\">{cell}</td>"),
                    (_, Mark::Open) => write!(self.text, "<td class=\"open\">{cell}</td>"),
                };
            }
            self.text.push_str("</tr>\n");
        }
        self.text.push_str("</tbody>\n</table></div>\n");
    }

    /// The whole.
    pub(crate) fn finish(self) -> String {
        self.text + "</body>\n</html>\n"
    }
}

/// Text that is nothing but text in HTML, and shows what would be hidden.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_is_nothing_but_text() {
        let hostile = "<script>alert('x')</script>&\"\u{202e}\u{1b}";
        let mut page = Page::new(hostile);
        page.heading(hostile);
        page.paragraph(hostile);
        page.list(hostile, [hostile.to_owned()]);
        page.table(&[hostile, "b"], &[vec![(hostile.into(), Mark::Plain), (hostile.into(), Mark::Bad)]]);
        let text = page.finish();
        assert_eq!(text.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;").count(), 9, "{text}");
        for never in ["<script", "\u{202e}", "\u{1b}", "http:", "https:", "url("] {
            assert!(!text.contains(never), "{never}: {text}");
        }
        assert!(
            roxmltree::Document::parse(
                &text
                    .replacen("<!DOCTYPE html>", "", 1)
                    .replace("utf-8\">", "utf-8\"/>")
                    .replace("width\">", "width\"/>")
                    .replace("inline'\">", "inline'\"/>")
            )
            .is_ok(),
            "{text}"
        );
    }

    #[test]
    fn what_is_empty_is_not_there() {
        let mut page = Page::new("a");
        page.paragraph("");
        page.list("nothing", []);
        page.table(&["nothing"], &[]);
        assert!(page.finish().ends_with("<h1>a</h1>\n</body>\n</html>\n"));
    }
}
