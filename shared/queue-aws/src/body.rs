//! Bytes as they are stored: packed where that makes them smaller, because each KB of an item is paid for with each write.
//!
//! Bodies of records repeat the same words, so they are packed with a dictionary of those words, which is a part of the
//! stored form: one that has landed is never changed, a better one gets the next number.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use queue::store::BoxError;

/// Stored as it is.
const PLAIN: u8 = 0;
/// Zlib with [`DICTIONARY_1`].
const ZLIB_1: u8 = 1;

/// What bodies have in common, the most frequent last.
const DICTIONARY_1: &[u8] = include_bytes!("dictionary-1.txt");

/// How much more room is given at a time.
const STEP: usize = 4_096;

/// `plain` as it is stored.
pub(crate) fn pack(plain: &[u8]) -> Vec<u8> {
    deflate(plain)
        .filter(|packed| packed.len() < plain.len())
        .map_or_else(|| tagged(PLAIN, plain), |packed| tagged(ZLIB_1, &packed))
}

/// Takes back what [`pack`] gave.
pub(crate) fn unpack(stored: &[u8]) -> Result<Vec<u8>, BoxError> {
    match stored.split_first() {
        Some((&PLAIN, plain)) => Ok(plain.to_vec()),
        Some((&ZLIB_1, packed)) => inflate(packed),
        Some((form, _)) => Err(format!("it is stored in form {form}, which this version does not know").into()),
        None => Err("it is empty".into()),
    }
}

fn tagged(form: u8, bytes: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(bytes.len() + 1);
    stored.push(form);
    stored.extend_from_slice(bytes);
    stored
}

/// `None` when the library refuses, and the bytes are stored as they are.
fn deflate(plain: &[u8]) -> Option<Vec<u8>> {
    let mut work = Compress::new(Compression::new(9), true);
    work.set_dictionary(DICTIONARY_1).ok()?;
    let mut packed = Vec::with_capacity(plain.len() / 2 + 64);
    loop {
        let read = usize::try_from(work.total_in()).ok()?;
        let status = work
            .compress_vec(&plain[read..], &mut packed, FlushCompress::Finish)
            .ok()?;
        if status == Status::StreamEnd {
            return Some(packed);
        }
        packed.reserve(STEP);
    }
}

fn inflate(packed: &[u8]) -> Result<Vec<u8>, BoxError> {
    let mut work = Decompress::new(true);
    let mut plain = Vec::with_capacity(packed.len() * 4);
    loop {
        let (read, given) = (usize::try_from(work.total_in())?, plain.len());
        match work.decompress_vec(&packed[read..], &mut plain, FlushDecompress::None) {
            Ok(Status::StreamEnd) => return Ok(plain),
            Ok(_) if plain.len() == given && plain.capacity() > given => return Err("it ends too early".into()),
            Ok(_) => plain.reserve(STEP.max(plain.len())),
            Err(error) if error.needs_dictionary().is_some() => {
                work.set_dictionary(DICTIONARY_1)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        let noise: Vec<u8> = (0..100_000_u32)
            .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[1])
            .collect();
        for plain in [&b""[..], b"x", b"{\"v\":1}", &vec![0; 300_000], &noise, DICTIONARY_1] {
            assert_eq!(unpack(&pack(plain)).expect("unpacks"), plain);
        }
    }

    #[test]
    fn what_does_not_shrink_is_stored_as_it_is() {
        assert_eq!(pack(b"\xf0\x9f"), [PLAIN, 0xf0, 0x9f]);
    }

    #[test]
    fn broken_bytes_are_an_error() {
        let packed = pack(&[b'a'; 1_000]);
        for stored in [&[][..], &[9, 1, 2], &packed[..packed.len() / 2], &[ZLIB_1, 1, 2, 3]] {
            assert!(unpack(stored).is_err(), "{stored:?}");
        }
        let mut wrong = packed.clone();
        *wrong.last_mut().expect("is not empty") ^= 1;
        assert!(unpack(&wrong).is_err());
    }
}
