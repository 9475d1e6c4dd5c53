//! Output on its way to the server, cut into numbered chunks: pure, and never larger than its bound.

use std::collections::VecDeque;

use bytes::Bytes;

/// A chunk is cut at this size. What is not UTF-8 is replaced by up to three times its length, so that a chunk stays below
/// the 256 KiB that the server takes.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// How much output waits for the server; what comes on top is left out.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct LogBuffer {
    /// The number of the first waiting chunk.
    seq: u64,
    chunks: VecDeque<Bytes>,
    chunk_bytes: usize,
    /// Output that is in no chunk yet.
    tail: Vec<u8>,
    left_out_bytes: u64,
}

impl LogBuffer {
    /// Adds output; never blocks and never grows past its bound.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.chunk_bytes + self.tail.len() + bytes.len() > WAITING_BYTES_MAX {
            self.left_out_bytes += bytes.len() as u64;
            return;
        }
        self.tell_what_was_left_out();
        self.tail.extend_from_slice(bytes);
        while self.tail.len() >= CHUNK_BYTES {
            self.cut(CHUNK_BYTES);
        }
    }

    /// Makes a chunk of what is in none yet, but for a character that is not complete.
    pub(crate) fn flush(&mut self) {
        if self.chunk_bytes + self.tail.len() < WAITING_BYTES_MAX {
            self.tell_what_was_left_out();
        }
        self.cut(CHUNK_BYTES);
    }

    /// Makes chunks of all there is: no more output will come.
    pub(crate) fn close(&mut self) {
        self.tell_what_was_left_out();
        while !self.tail.is_empty() {
            let end = self.tail.len().min(CHUNK_BYTES);
            let end = if end == self.tail.len() {
                end
            } else {
                whole_characters(&self.tail[..end])
            };
            self.take_chunk(end);
        }
    }

    /// The chunk to send next, with its number; its bytes never change once it has been seen.
    pub(crate) fn front(&self) -> Option<(u64, Bytes)> {
        self.chunks.front().map(|chunk| (self.seq, chunk.clone()))
    }

    /// The server has the chunk of this number.
    pub(crate) fn sent(&mut self, seq: u64) {
        if seq == self.seq
            && let Some(chunk) = self.chunks.pop_front()
        {
            self.chunk_bytes -= chunk.len();
            self.seq += 1;
        }
    }

    /// The server wants this number next. Chunks keep their order and get new numbers: the log has no gap by number.
    pub(crate) fn resync(&mut self, next_seq: u64) {
        self.seq = next_seq;
    }

    /// Whether output waits to be made a chunk of.
    pub(crate) fn has_tail(&self) -> bool {
        !self.tail.is_empty() || self.left_out_bytes > 0
    }

    fn tell_what_was_left_out(&mut self) {
        if self.left_out_bytes > 0 {
            let bytes = std::mem::take(&mut self.left_out_bytes);
            let note =
                format!("\n[remuda-robot: {bytes} bytes of output left out: the server did not take them in time]\n");
            self.tail.extend_from_slice(note.as_bytes());
        }
    }

    fn cut(&mut self, bytes_max: usize) {
        let end = whole_characters(&self.tail[..self.tail.len().min(bytes_max)]);
        if end > 0 {
            self.take_chunk(end);
        }
    }

    fn take_chunk(&mut self, end: usize) {
        let rest = self.tail.split_off(end);
        let chunk = std::mem::replace(&mut self.tail, rest);
        let text = match String::from_utf8(chunk) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        self.chunk_bytes += text.len();
        self.chunks.push_back(Bytes::from(text));
    }
}

/// How many of these bytes do not end in the middle of a character.
fn whole_characters(bytes: &[u8]) -> usize {
    /// A UTF-8 character has at most four bytes, so at most three of one can stand here incomplete.
    const INCOMPLETE_MAX: usize = 3;
    for back in 1..=INCOMPLETE_MAX.min(bytes.len()) {
        let start = bytes.len() - back;
        let incomplete = std::str::from_utf8(&bytes[start..])
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
        if incomplete {
            return start;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(buffer: &mut LogBuffer) -> Vec<(u64, Bytes)> {
        let mut chunks = Vec::new();
        while let Some((seq, chunk)) = buffer.front() {
            buffer.sent(seq);
            chunks.push((seq, chunk));
        }
        chunks
    }

    #[test]
    fn chunks_are_numbered_and_lose_nothing() {
        let mut buffer = LogBuffer::default();
        let line = "eine Zeile über Rösser 🐎\n".as_bytes();
        for _ in 0..10_000 {
            buffer.push(line);
        }
        buffer.close();
        let chunks = drain(&mut buffer);
        assert!(chunks.iter().map(|(seq, _)| *seq).eq(0..chunks.len() as u64));
        assert!(
            chunks
                .iter()
                .all(|(_, chunk)| chunk.len() <= CHUNK_BYTES && std::str::from_utf8(chunk).is_ok())
        );
        assert_eq!(chunks.concat_chunks(), line.repeat(10_000));
    }

    trait ConcatChunks {
        fn concat_chunks(&self) -> Vec<u8>;
    }

    impl ConcatChunks for Vec<(u64, Bytes)> {
        fn concat_chunks(&self) -> Vec<u8> {
            self.iter().flat_map(|(_, chunk)| chunk.to_vec()).collect()
        }
    }

    #[test]
    fn a_character_is_never_cut() {
        for horse in ["é", "€", "🐎"] {
            for cut in 1..horse.len() {
                let mut buffer = LogBuffer::default();
                buffer.push(b"a");
                buffer.push(&horse.as_bytes()[..cut]);
                buffer.flush();
                buffer.push(&horse.as_bytes()[cut..]);
                buffer.close();
                let chunks = drain(&mut buffer);
                assert_eq!(chunks[0].1, "a");
                assert_eq!(chunks[1].1, horse);
            }
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_stays_below_what_the_server_takes() {
        let mut buffer = LogBuffer::default();
        buffer.push(&vec![0xff; 3 * CHUNK_BYTES]);
        buffer.push(&[0xf0, 0x9f]);
        buffer.close();
        let chunks = drain(&mut buffer);
        assert!(
            chunks
                .iter()
                .all(|(_, chunk)| chunk.len() <= 256 * 1024 && std::str::from_utf8(chunk).is_ok())
        );
        assert_eq!(chunks.len(), 4);
    }

    #[test]
    fn a_flood_is_left_out_and_told() {
        let mut buffer = LogBuffer::default();
        for _ in 0..100 {
            buffer.push(&vec![b'x'; 100 * 1024]);
            assert!(buffer.chunk_bytes + buffer.tail.len() <= WAITING_BYTES_MAX);
        }
        let first = drain(&mut buffer);
        buffer.push(b"after\n");
        buffer.close();
        let kept: usize = first.iter().map(|(_, chunk)| chunk.len()).sum();
        let text = String::from_utf8(drain(&mut buffer).concat_chunks()).unwrap();
        let note = text.trim_start_matches('x');
        assert!(
            note.starts_with("\n[remuda-robot: ") && note.ends_with("in time]\nafter\n"),
            "{note}"
        );
        assert!(kept > WAITING_BYTES_MAX / 2);
    }

    #[test]
    fn chunks_follow_the_number_that_the_server_wants() {
        let mut buffer = LogBuffer::default();
        buffer.push(b"one");
        buffer.flush();
        buffer.push(b"two");
        buffer.flush();
        buffer.resync(4);
        assert_eq!(drain(&mut buffer), [(4, Bytes::from("one")), (5, Bytes::from("two"))]);
    }

    #[test]
    fn an_answer_about_an_older_chunk_changes_nothing() {
        let mut buffer = LogBuffer::default();
        buffer.push(b"one");
        buffer.flush();
        buffer.resync(3);
        buffer.sent(0);
        assert_eq!(buffer.front(), Some((3, Bytes::from("one"))));
    }
}
