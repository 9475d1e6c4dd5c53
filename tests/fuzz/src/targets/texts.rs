//! Texts that stand in many places: JSON, and moments.

use app::{canonical, decimal::Decimal, json as text_of};
use domain::Timestamp;
use serde_json::Value;

/// Any body: what is taken as JSON means the same without its white space.
pub fn json(data: &[u8]) {
    let Ok(text) = text_of::check(data) else { return };
    let compact = text_of::compact(text);
    assert!(text_of::check(compact.as_bytes()).is_ok(), "{compact}");
    assert_eq!(text_of::compact(&compact), compact);
    assert_eq!(canonical::digest(text), canonical::digest(&compact));
    // Numbers that no machine holds are taken all the same.
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(serde_json::from_str::<Value>(&compact).ok(), Some(value.clone()));
        number(text, &value);
    }
}

/// Holds that an integer is read as what it is, and that its other forms mean the same.
fn number(text: &str, value: &Value) {
    let Some(integer) = value.as_i64() else { return };
    let decimal = Decimal::parse(text.trim_ascii());
    assert_eq!(decimal.to_i64(), Some(integer));
    assert_eq!(Decimal::parse(&decimal.to_string()), decimal);
    assert_eq!(canonical::digest(&format!("{integer}.0")), canonical::digest(text));
}

/// A moment: what is read is shown in one way, which reads back to the same moment.
pub fn moment(data: &[u8]) {
    let Some(read) = std::str::from_utf8(data).ok().and_then(Timestamp::parse) else {
        return;
    };
    let shown = read.to_string();
    let again = Timestamp::parse(&shown).expect("what is shown can be read");
    assert_eq!((again.as_millis(), again.to_string()), (read.as_millis(), shown));
}
