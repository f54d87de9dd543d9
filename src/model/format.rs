//! How results are printed.

use clap::ValueEnum;

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// The same document as YAML
    Yaml,
    /// One JSON value per line
    Ndjson,
    /// Devices that are alike share one description; read wherever a snapshot is
    Compact,
    /// One page without script, to be mailed or printed
    Html,
    /// Metrics as a Prometheus text file
    Prometheus,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands of GitHub Actions
    Github,
}

impl Format {
    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Ndjson => "ndjson",
            Self::Compact => "compact",
            Self::Html => "html",
            Self::Prometheus => "prometheus",
            Self::Sarif => "sarif",
            Self::Github => "github",
        }
    }
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
