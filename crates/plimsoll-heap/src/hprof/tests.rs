//! Real dumps, and what others say of them.
