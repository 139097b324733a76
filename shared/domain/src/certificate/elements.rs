//! Reads ASN.1 elements of any tag: the `der` crate supports neither UniversalString nor universal tags
//! in long form, and certificates contain both.

use der::{Decode, Length, Reader, SliceReader};

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One element: its tag, its content, and its complete encoding.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    /// The identifier octet; for a tag in long form, the first one.
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Content that is still to be read.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub(super) fn of(content: &'a [u8]) -> Self {
        Self(content)
    }

    /// The next element; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Element<'a>>, String> {
        let bytes = self.0;
        let Some((tag, mut rest)) = bytes.split_first() else {
            return Ok(None);
        };
        // X.690, 8.1.2.4: the tag number continues while bit 8 is set.
        if tag & 0x1f == 0x1f {
            let last = rest.iter().position(|octet| octet & 0x80 == 0);
            rest = &rest[last.ok_or("a tag is truncated")? + 1..];
        }
        let text = |error: der::Error| error.to_string();
        let mut reader = SliceReader::new(rest).map_err(text)?;
        let length = Length::decode(&mut reader).map_err(text)?;
        let content = reader.read_slice(length).map_err(text)?;
        let read = usize::try_from(reader.position()).map_err(text)?;
        self.0 = &rest[read..];
        Ok(Some(Element {
            tag: *tag,
            content,
            whole: &bytes[..bytes.len() - self.0.len()],
        }))
    }

    /// The next element, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<Element<'a>, String> {
        match self.next()? {
            Some(element) if element.tag == tag => Ok(element),
            Some(element) => Err(format!(
                "found tag {:02x} instead of {tag:02x}",
                element.tag
            )),
            None => Err(format!("tag {tag:02x} is missing")),
        }
    }

    /// The next element, if it has this tag.
    pub(super) fn take_if(&mut self, tag: u8) -> Result<Option<Element<'a>>, String> {
        if self.0.first() == Some(&tag) {
            self.next()
        } else {
            Ok(None)
        }
    }

    /// Fails unless everything was read.
    pub(super) fn end(self) -> Result<(), String> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(format!("{left} extra octets")),
        }
    }

    /// All remaining elements.
    pub(super) fn rest(mut self) -> Result<Vec<Element<'a>>, String> {
        let mut all = Vec::new();
        while let Some(element) = self.next()? {
            all.push(element);
        }
        Ok(all)
    }
}

/// The content of `bytes`, which must be exactly one element with this tag.
pub(super) fn within(tag: u8, bytes: &[u8]) -> Result<Elements<'_>, String> {
    let mut outer = Elements(bytes);
    let element = outer.take(tag)?;
    outer.end()?;
    Ok(Elements(element.content))
}
