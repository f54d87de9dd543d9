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
    /// One JSON value per line: the events of `migrate` and `drain`, the hosts of `inventory`
    Ndjson,
    /// `inventory` only: devices that are alike share one description; read wherever a snapshot is
    Compact,
    /// `inventory` only: metrics as a Prometheus text file
    Prometheus,
    /// `check-config` only: SARIF 2.1.0, for code scanning
    Sarif,
    /// `check-config` only: workflow commands of GitHub Actions
    Github,
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
