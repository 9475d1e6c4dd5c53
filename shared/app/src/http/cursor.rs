//! Cursors: where the next page of a list begins, as a text that means nothing to anybody else.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use queue::store::Position;

/// The longest cursor that is looked at.
const CURSOR_CHARS_MAX: usize = 400;

/// The text of `position` in the list of that name.
pub(super) fn written(list: &str, position: &Position) -> String {
    let body = format!("{}/{}", position.listed_at.as_micros(), position.id);
    let sum = checksum(list, &body);
    BASE64_URL_SAFE_NO_PAD.encode(format!("{sum:08x}/{body}"))
}

/// The position that was written as `text` for the same list; `None` for any other text.
pub(super) fn read(list: &str, text: &str) -> Option<Position> {
    let bytes = (text.len() <= CURSOR_CHARS_MAX).then(|| BASE64_URL_SAFE_NO_PAD.decode(text).ok())??;
    let decoded = String::from_utf8(bytes).ok()?;
    let (sum, body) = decoded.split_once('/')?;
    if sum != format!("{:08x}", checksum(list, body)) {
        return None;
    }
    let (micros, id) = body.split_once('/')?;
    let position = Position {
        listed_at: Timestamp::from_micros(micros.parse().ok()?),
        id: id.to_owned(),
    };
    // The checksum is no secret: only what would be written so is read.
    (written(list, &position) == text).then_some(position)
}

/// Tells a changed cursor, and one of another list.
fn checksum(list: &str, body: &str) -> u32 {
    crc32fast::hash(format!("{list}/{body}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            listed_at: Timestamp::from_micros(1_763_700_000_123_456),
            id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        assert_eq!(read("jobs", &written("jobs", &position())), Some(position()));
    }

    #[test]
    fn a_changed_cursor_or_one_of_another_list_leads_nowhere() {
        let good = written("jobs", &position());
        assert_eq!(read("keys", &good), None);
        for place in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[place] = if bad[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(read("jobs", &String::from_utf8_lossy(&bad)), None, "character {place}");
        }
    }

    #[test]
    fn a_cursor_that_is_never_written_is_not_read_though_its_checksum_is_right() {
        for body in ["+5/a", "007/a", "-0/a", "5"] {
            let sum = checksum("jobs", body);
            let forged = BASE64_URL_SAFE_NO_PAD.encode(format!("{sum:08x}/{body}"));
            assert_eq!(read("jobs", &forged), None, "{body}");
        }
    }
}
