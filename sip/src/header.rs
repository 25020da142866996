//! Typed views of header fields, one header per file.
