//! Messages, and the frames that carry all messages of one stall together.

/// Names one branch of a protocol run; separates its message queue and its randomness.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Branch(pub [u8; 12]);

/// What a message is for; the layer above gives the numbers their names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag(pub u16);

/// One message of one branch. No `Debug`: the payload may be (part of) a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The branch that sends and receives it.
    pub branch: Branch,
    /// Number of the message in its branch, per direction.
    pub number: u32,
    /// Logical depth: rounds that led to this message.
    pub depth: u32,
    /// The step it belongs to.
    pub tag: Tag,
    /// The content.
    pub payload: Vec<u8>,
}

/// Bytes of a message's header in a frame.
pub const HEADER_BYTES: usize = 12 + 4 + 4 + 2 + 4;

/// The body of a frame: its messages, one after the other.
pub fn encode_frame(messages: &[Message]) -> Vec<u8> {
    let bytes = messages
        .iter()
        .map(|m| HEADER_BYTES + m.payload.len())
        .sum();
    let mut out = Vec::with_capacity(bytes);
    for m in messages {
        out.extend_from_slice(&m.branch.0);
        out.extend_from_slice(&m.number.to_le_bytes());
        out.extend_from_slice(&m.depth.to_le_bytes());
        out.extend_from_slice(&m.tag.0.to_le_bytes());
        out.extend_from_slice(&(m.payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&m.payload);
    }
    out
}

/// The messages of a frame's body, or `None` where it is cut, overlong or empty.
pub fn decode_frame(mut body: &[u8]) -> Option<Vec<Message>> {
    let mut messages = Vec::new();
    while !body.is_empty() {
        let (branch, rest) = body.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (depth, rest) = rest.split_first_chunk()?;
        let (tag, rest) = rest.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        messages.push(Message {
            branch: Branch(*branch),
            number: u32::from_le_bytes(*number),
            depth: u32::from_le_bytes(*depth),
            tag: Tag(u16::from_le_bytes(*tag)),
            payload: payload.to_vec(),
        });
        body = rest;
    }
    (!messages.is_empty()).then_some(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    type Parts = ([u8; 12], u32, u32, u16, Vec<u8>);

    fn message((branch, number, depth, tag, payload): Parts) -> Message {
        Message {
            branch: Branch(branch),
            number,
            depth,
            tag: Tag(tag),
            payload,
        }
    }

    proptest! {
        #[test]
        fn frames_survive_the_wire(parts in vec(any::<Parts>(), 1..8)) {
            let messages: Vec<_> = parts.into_iter().map(message).collect();
            let body = encode_frame(&messages);
            prop_assert!(decode_frame(&body) == Some(messages.clone()));
            // A cut is noticed, unless it falls between two messages.
            let mut ends = vec![0];
            for m in &messages {
                ends.push(ends[ends.len() - 1] + HEADER_BYTES + m.payload.len());
            }
            for cut in 0..body.len() {
                let whole = ends.iter().position(|&end| end == cut);
                match decode_frame(&body[..cut]) {
                    Some(some) => prop_assert!(whole.is_some_and(|n| some == messages[..n])),
                    None => prop_assert!(whole.is_none_or(|n| n == 0)),
                }
            }
        }

        #[test]
        fn decoding_never_panics_and_keeps_every_byte(body in vec(any::<u8>(), 0..300)) {
            if let Some(messages) = decode_frame(&body) {
                prop_assert_eq!(encode_frame(&messages), body);
            }
        }

        #[test]
        fn decoding_small_lengths_never_panics(parts in vec((any::<[u8; 22]>(), 0..40u32), 0..6)) {
            let body: Vec<u8> =
                parts.iter().flat_map(|(head, len)| [&head[..], &len.to_le_bytes()].concat()).collect();
            if let Some(messages) = decode_frame(&body) {
                prop_assert_eq!(encode_frame(&messages), body);
            }
        }
    }
}
