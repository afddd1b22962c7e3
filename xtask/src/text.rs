//! Readers of text, each just strong enough for the rules of `tidy`: Rust, Markdown, manifests.
//!
//! Not parsers: what they cannot read they pass over, and the compiler or a reviewer sees it.

pub(crate) mod code;
pub(crate) mod commands;
pub(crate) mod manifest;
pub(crate) mod markdown;
