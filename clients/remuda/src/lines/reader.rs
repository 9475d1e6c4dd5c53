//! Lines from a file or stdin, one at a time, none longer than a bulk may be.

use std::io::{self, BufRead, Read};

use super::bulk::BULK_BYTES_MAX;

/// One line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its place in the file, from 1; blank lines count.
    pub(crate) number: u64,
    /// Its content, or why there is none.
    pub(crate) content: Result<Vec<u8>, String>,
    /// How many bytes were read for it, and for blank lines before it.
    pub(crate) bytes_read: u64,
}

/// The lines of `source`.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    source: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Nothing is read yet.
    pub(crate) fn new(source: R) -> Self {
        Lines { source, number: 0 }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let mut bytes_read = 0;
        loop {
            let mut content = Vec::new();
            let limit = u64::try_from(BULK_BYTES_MAX).unwrap_or(u64::MAX);
            let read = (&mut self.source).take(limit).read_until(b'\n', &mut content)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            bytes_read += u64::try_from(read).unwrap_or(u64::MAX);
            if read == BULK_BYTES_MAX && content.last() != Some(&b'\n') {
                bytes_read += self.skip_to_the_end_of_the_line()?;
                let content = Err("longer than a whole bulk may be (5 MiB)".to_owned());
                return Ok(Some(Line {
                    number: self.number,
                    content,
                    bytes_read,
                }));
            }
            let content = trimmed(&content, self.number == 1);
            if !content.is_empty() {
                return Ok(Some(Line {
                    number: self.number,
                    content: Ok(content.to_vec()),
                    bytes_read,
                }));
            }
        }
    }

    fn skip_to_the_end_of_the_line(&mut self) -> io::Result<u64> {
        let skipped = self.source.skip_until(b'\n')?;
        Ok(u64::try_from(skipped).unwrap_or(u64::MAX))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// The line without space around it; some editors put a byte order mark before the first.
fn trimmed(line: &[u8], is_first: bool) -> &[u8] {
    let line = if is_first {
        line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
    } else {
        line
    };
    line.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(u64, Result<String, String>)> {
        Lines::new(text)
            .map(|line| line.unwrap())
            .map(|line| {
                (
                    line.number,
                    line.content.map(|content| String::from_utf8(content).unwrap()),
                )
            })
            .collect()
    }

    #[test]
    fn blank_lines_are_left_out_and_counted() {
        let lines = read(b"\xef\xbb\xbf{\"a\":1}\r\n\n   \n {\"b\":2}");
        assert_eq!(
            lines,
            [(1, Ok("{\"a\":1}".to_owned())), (4, Ok("{\"b\":2}".to_owned()))]
        );
    }

    #[test]
    fn every_byte_is_accounted_for() {
        let text = b"{}\n\n\n{}\n";
        let total: u64 = Lines::new(&text[..]).map(|line| line.unwrap().bytes_read).sum();
        assert_eq!(total, 8);
    }

    #[test]
    fn a_line_longer_than_a_bulk_is_refused_and_the_next_one_is_read() {
        let mut text = vec![b'x'; BULK_BYTES_MAX + 10];
        text.extend(b"\n{}\n");
        let lines = read(&text);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].1.is_err());
        assert_eq!(lines[1], (2, Ok("{}".to_owned())));
    }
}
