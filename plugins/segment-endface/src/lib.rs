//! segment-endface
