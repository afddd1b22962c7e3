//! What an agent and its server say to each other, and the signature that makes an order an order.
//!
//! The agent polls; it says what it can reach and which receipts it has, and is told which receipts
//! were written down and what to do next. A command is signed with HMAC-SHA256 over its canonical
//! JSON. A command from a newer server with a field that this agent does not know fails its
//! verification, and that is meant: what is not understood is not performed.

use hmac::{Hmac, KeyInit, Mac};
use plimsoll_model::Command;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::canonical::text_of;
use crate::command::CommandShape;
use crate::reach::ReachShape;
use crate::receipt::ReceiptShape;
use crate::shape::ShapeError;

/// What an agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    pub agent: String,
    pub reach: Vec<ReachShape>,
    /// Repeated until they are acknowledged.
    pub receipts: Vec<ReceiptShape>,
}

/// What it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Commands whose receipts are durable on the server, so the agent may forget them.
    pub acknowledged: Vec<String>,
    pub commands: Vec<SignedCommand>,
}

/// A command and the proof that the server ordered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCommand {
    pub command: CommandShape,
    /// HMAC-SHA256 in hexadecimal digits.
    pub signature: String,
}

/// Why an order is not obeyed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature of command `{command}` does not match; agent and server need one key")]
    Mismatch { command: String },
    #[error("the signed command cannot be understood")]
    Shape(#[source] ShapeError),
}

/// Signs a command with the key that agent and server share. An empty key is not a secret: whoever
/// makes the key sees to its length.
pub fn sign(command: &Command, key: &[u8]) -> SignedCommand {
    let command = CommandShape::from(command);
    let signature = hex(&mac_of(&command, key).finalize().into_bytes());
    SignedCommand { command, signature }
}

/// The command, if it was signed with this key. The comparison takes the same time wherever the
/// signatures differ.
pub fn verify(signed: SignedCommand, key: &[u8]) -> Result<Command, SignatureError> {
    let SignedCommand { command, signature } = signed;
    let matches =
        unhex(&signature).is_some_and(|bytes| mac_of(&command, key).verify_slice(&bytes).is_ok());
    if !matches {
        return Err(SignatureError::Mismatch { command: crate::shape::clip(&command.id) });
    }
    Command::try_from(command).map_err(SignatureError::Shape)
}

fn mac_of(command: &CommandShape, key: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text_of(command).as_bytes());
    mac
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 has 32 bytes; anything else cannot be a signature.
fn unhex(text: &str) -> Option<[u8; 32]> {
    text.parse::<plimsoll_model::Digest>().ok().map(|digest| digest.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{
        Action, Bytes, CommandId, Digest, InstanceName, ServiceName, Span, Timestamp,
    };

    fn command() -> Command {
        Command {
            id: CommandId::new("cmd-1").unwrap(),
            plan: None,
            authority: Digest([7; 32]),
            service: ServiceName::new("orders").unwrap(),
            instance: InstanceName::new("orders-0").unwrap(),
            version: None,
            action: Action::SetMemoryHigh(Bytes::from_mib(300)),
            lease: Some(Span::from_mins(5)),
            not_after: Timestamp::from_secs(1_780_000_000),
            reason: "gain time".into(),
        }
    }

    #[test]
    fn a_signed_command_is_verified_with_the_same_key_only() {
        let signed = sign(&command(), b"secret");
        assert_eq!(verify(signed.clone(), b"secret").unwrap(), command());
        assert!(matches!(verify(signed, b"Secret"), Err(SignatureError::Mismatch { .. })));
    }

    #[test]
    fn a_changed_command_or_signature_is_refused() {
        let check = |change: fn(&mut SignedCommand)| {
            let mut signed = sign(&command(), b"secret");
            change(&mut signed);
            assert!(verify(signed, b"secret").is_err());
        };
        check(|signed| signed.command.instance = "orders-1".into());
        check(|signed| signed.command.lease_ms = None);
        check(|signed| signed.command.not_after = "2027-01-01T00:00:00.000Z".into());
        check(|signed| signed.signature.clear());
        check(|signed| signed.signature.replace_range(0..1, "x"));
        check(|signed| signed.signature = "0".repeat(64));
    }
}
