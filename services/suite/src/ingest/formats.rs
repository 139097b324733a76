//! Splits a file into items: PEM, DER, PKCS#7, JSON lines, or gzip of one of these, detected from
//! the content. Unreadable parts are refused individually; no large file is held in memory.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use licet_contracts::sanlicensing::v1::{IngestRecord, ingest_record::Report};
use licet_domain::certificate::{Document, classify_document, document_length};

use super::{
    item::{Flow, Item, Place, Sink},
    lines::{self, Defaults},
    scan::{self, Part},
};

/// How much of a file is read to detect its format.
const HEAD_BYTES: usize = 64 << 10;
/// The longest line, PEM block and DER document that is read.
const MAX_LINE_BYTES: usize = 4 << 20;
const MAX_DOCUMENT_BYTES: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file being read.
pub(super) struct File<'a, 'b> {
    pub(super) name: Arc<str>,
    pub(super) owner: &'a Defaults,
    pub(super) sink: &'a mut Sink<'b>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Empty,
    Gzip,
    Lines,
    Pem,
    Der,
    Unknown,
}

fn format_of(head: &[u8]) -> Format {
    if head.starts_with(&[0x1f, 0x8b]) {
        return Format::Gzip;
    }
    // A SEQUENCE of at least 128 octets: no text starts like this.
    if matches!(head, [0x30, 0x80..=0xff, ..]) {
        return Format::Der;
    }
    if head.trim_ascii().is_empty() {
        return Format::Empty;
    }
    let mut lines = head.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines
        .find_map(|line| match scan::next(line.trim_ascii_start()) {
            Part::Value => Some(Format::Lines),
            Part::Begin(_) => Some(Format::Pem),
            Part::End(_) | Part::Other => None,
        })
        .unwrap_or(Format::Unknown)
}

impl File<'_, '_> {
    /// Reads the whole file. A read error becomes a refused item.
    pub(super) fn read(&mut self, input: impl Read) -> Flow {
        match self.read_plain_or_packed(input) {
            Ok(flow) => flow,
            Err(error) => self.refuse(None, format!("cannot be read to its end: {error}")),
        }
    }

    fn read_plain_or_packed(&mut self, input: impl Read) -> io::Result<Flow> {
        let (head, input) = with_head(input)?;
        let format = format_of(&head);
        if format == Format::Gzip {
            let (head, input) = with_head(MultiGzDecoder::new(input))?;
            return self.read_format(format_of(&head), input);
        }
        self.read_format(format, input)
    }

    fn read_format(&mut self, format: Format, input: impl Read) -> io::Result<Flow> {
        let input = BufReader::with_capacity(HEAD_BYTES, input);
        match format {
            Format::Empty => Ok(Flow::Continue(())),
            Format::Lines => self.read_text(input, false),
            Format::Pem => self.read_text(input, true),
            Format::Der => self.read_der(input),
            Format::Gzip => Ok(self.refuse(None, "is gzip within gzip")),
            Format::Unknown => Ok(self.refuse(
                None,
                "is neither PEM, DER nor JSON lines, nor gzip of these",
            )),
        }
    }

    /// Reads JSON lines and PEM blocks, mixed if files were joined. Anything else is refused,
    /// unless the file has PEM blocks: then it is text around them, as openssl writes.
    fn read_text(&mut self, mut input: impl BufRead, mut has_blocks: bool) -> io::Result<Flow> {
        let mut line = Vec::new();
        let mut open: Option<Block> = None;
        for number in 1.. {
            let Some(is_whole) = scan::read_line(&mut input, &mut line, MAX_LINE_BYTES)? else {
                break;
            };
            let mut rest = line.trim_ascii();
            while !rest.is_empty() {
                let (taken, flow) = match &mut open {
                    Some(block) => match block.add(rest) {
                        Added::All => (rest.len(), Flow::Continue(())),
                        Added::Truncated(at) => {
                            let block = open.take();
                            (at, self.refuse_truncated(block.as_ref()))
                        }
                        Added::Ended(at) => {
                            let block = open.take();
                            (
                                at,
                                block.map_or(Flow::Continue(()), |block| self.take_block(&block)),
                            )
                        }
                    },
                    None => match scan::next(rest) {
                        Part::Value => self.take_values(number, rest, is_whole),
                        Part::Begin(boundary) => {
                            has_blocks = true;
                            open = Some(Block::begin(number, &rest[boundary.clone()]));
                            (boundary.end, Flow::Continue(()))
                        }
                        Part::End(length) => {
                            let text = "is the end of a PEM block without its beginning";
                            (length, self.refuse(Some(number), text))
                        }
                        Part::Other if has_blocks => (rest.len(), Flow::Continue(())),
                        Part::Other => (rest.len(), self.take_line(number, rest, is_whole)),
                    },
                };
                if flow.is_break() {
                    return Ok(flow);
                }
                rest = rest[taken..].trim_ascii_start();
            }
            if !is_whole && scan::find_boundary(&line).is_some() {
                let flow = self.refuse(Some(number), too_long("line", MAX_LINE_BYTES));
                if flow.is_break() {
                    return Ok(flow);
                }
            }
        }
        Ok(self.refuse_truncated(open.as_ref()))
    }

    /// Reads one line of JSON, or several on one line if files were joined. Returns how much of the
    /// text was read.
    fn take_values(&mut self, number: u64, text: &[u8], is_whole: bool) -> (usize, Flow) {
        let length = match scan::value_length(text) {
            Some(length) if is_whole => length,
            Some(_) | None => text.len(),
        };
        (length, self.take_line(number, &text[..length], is_whole))
    }

    fn take_line(&mut self, number: u64, line: &[u8], is_whole: bool) -> Flow {
        if !is_whole {
            return self.refuse(Some(number), too_long("line", MAX_LINE_BYTES));
        }
        let mut place = self.place(Some(number));
        let item = match lines::read(line, self.owner) {
            Ok(record) => Item::record(place, record),
            Err(reason) => {
                place.serial = lines::serial(line);
                Item::refused(place, reason)
            }
        };
        (self.sink)(item)
    }

    fn refuse_truncated(&mut self, block: Option<&Block>) -> Flow {
        match block {
            None => Flow::Continue(()),
            Some(block) => self.refuse(Some(block.line), "is a truncated PEM block"),
        }
    }

    fn take_block(&mut self, block: &Block) -> Flow {
        let line = Some(block.line);
        if block.is_too_long {
            return self.refuse(line, too_long("PEM block", MAX_DOCUMENT_BYTES));
        }
        match pem::parse(&block.text) {
            Err(error) => self.refuse(line, format!("is malformed PEM: {error}")),
            Ok(parsed) => match parsed.tag() {
                "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                    self.take_labelled(line, parsed.into_contents())
                }
                "PKCS7" | "CMS" => self.take_document(line, parsed.into_contents()),
                // Not sent: it may be secret.
                tag => self.refuse(line, format!("is a {tag}, not a certificate")),
            },
        }
    }

    /// A block labelled as a certificate. Some tools label a PKCS#7 like that. Trust settings after
    /// a trusted certificate are dropped.
    fn take_labelled(&mut self, line: Option<u64>, mut der: Vec<u8>) -> Flow {
        der.truncate(document_length(&der).unwrap_or(usize::MAX));
        match classify_document(&der) {
            Document::Bundle(_) => self.take_document(line, der),
            Document::Signed | Document::Other => self.send_certificate(line, der),
        }
    }

    fn read_der(&mut self, mut input: impl BufRead) -> io::Result<Flow> {
        loop {
            skip_whitespace(&mut input)?;
            let mut der = Vec::new();
            input.by_ref().take(16).read_to_end(&mut der)?;
            if der.is_empty() {
                return Ok(Flow::Continue(()));
            }
            let Some(length) = document_length(&der) else {
                return Ok(self.refuse(None, "contains data that is not DER"));
            };
            if length > MAX_DOCUMENT_BYTES {
                return Ok(self.refuse(None, too_long("DER document", MAX_DOCUMENT_BYTES)));
            }
            if length < der.len() {
                return Ok(self.refuse(None, "contains DER that is not a certificate"));
            }
            let missing = u64::try_from(length - der.len()).unwrap_or(u64::MAX);
            input.by_ref().take(missing).read_to_end(&mut der)?;
            if der.len() < length {
                return Ok(self.refuse(None, "is truncated"));
            }
            let flow = self.take_document(None, der);
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    fn take_document(&mut self, line: Option<u64>, der: Vec<u8>) -> Flow {
        match classify_document(&der) {
            Document::Signed => self.send_certificate(line, der),
            Document::Bundle(each) if each.is_empty() => {
                self.refuse(line, "is a PKCS#7 without certificates")
            }
            Document::Bundle(each) => {
                for certificate in each {
                    let flow = self.take_certificate(line, certificate);
                    if flow.is_break() {
                        return flow;
                    }
                }
                Flow::Continue(())
            }
            // Not sent: it may be secret.
            Document::Other => self.refuse(line, "is DER, but not a certificate"),
        }
    }

    fn take_certificate(&mut self, line: Option<u64>, der: Vec<u8>) -> Flow {
        match classify_document(&der) {
            Document::Signed => self.send_certificate(line, der),
            Document::Bundle(_) | Document::Other => {
                self.refuse(line, "is DER, but not a certificate")
            }
        }
    }

    /// SanLicensing refuses a certificate that cannot be parsed, so that it is stored and listed.
    fn send_certificate(&mut self, line: Option<u64>, der: Vec<u8>) -> Flow {
        let place = self.place(line);
        let owner = lines::owner(None, &self.owner.account_id, "--account").and_then(|account| {
            Ok((
                account,
                lines::owner(None, &self.owner.product_id, "--product")?,
            ))
        });
        (self.sink)(match owner {
            Err(reason) => Item::refused(place, reason),
            Ok((account_id, product_id)) => Item::record(
                place,
                IngestRecord {
                    account_id,
                    product_id,
                    report: Some(Report::CertificateDer(der)),
                },
            ),
        })
    }

    pub(super) fn refuse(&mut self, line: Option<u64>, reason: impl Into<String>) -> Flow {
        let place = self.place(line);
        (self.sink)(Item::refused(place, reason))
    }

    fn place(&self, line: Option<u64>) -> Place {
        Place {
            file: Arc::clone(&self.name),
            line,
            serial: None,
        }
    }
}

/// An unfinished PEM block.
struct Block {
    line: u64,
    /// Its lines, with line feeds whatever the file uses.
    text: Vec<u8>,
    is_too_long: bool,
}

/// How much of a text belongs to the block it was added to.
enum Added {
    /// The whole text belongs to the block.
    All,
    /// Another block begins here.
    Truncated(usize),
    /// The block ends here.
    Ended(usize),
}

impl Block {
    fn begin(line: u64, boundary: &[u8]) -> Self {
        Self {
            line,
            text: [boundary, b"\n"].concat(),
            is_too_long: false,
        }
    }

    fn add(&mut self, text: &[u8]) -> Added {
        match scan::find_boundary(text) {
            None => {
                self.add_line(text);
                Added::All
            }
            Some(at) if text[at..].starts_with(scan::BEGIN) => Added::Truncated(at),
            Some(at) => {
                let end = at + scan::boundary_length(&text[at..]);
                self.add_line(&text[..at]);
                self.push(&text[at..end]);
                Added::Ended(end)
            }
        }
    }

    /// Adds base64 without white space. Headers, which have a colon, are dropped.
    fn add_line(&mut self, text: &[u8]) {
        if text.is_empty() || text.contains(&b':') {
            return;
        }
        let words = text.split(u8::is_ascii_whitespace);
        let base64: Vec<u8> = words.flatten().copied().collect();
        self.push(&base64);
        self.push(b"\n");
    }

    fn push(&mut self, text: &[u8]) {
        if self.text.len() + text.len() > MAX_DOCUMENT_BYTES {
            self.is_too_long = true;
            self.text.clear();
        } else {
            self.text.extend_from_slice(text);
        }
    }
}

fn too_long(what: &str, bytes: usize) -> String {
    format!("is a {what} of more than {bytes} bytes")
}

/// The first bytes, without a byte order mark, and a reader of all bytes.
fn with_head(mut input: impl Read) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::new();
    let limit = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
    input.by_ref().take(limit).read_to_end(&mut head)?;
    if head.starts_with(BYTE_ORDER_MARK) {
        head.drain(..BYTE_ORDER_MARK.len());
    }
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

fn skip_whitespace(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let white = buffer.iter().take_while(|byte| byte.is_ascii_whitespace());
        let count = white.count();
        let is_over = buffer.is_empty() || count < buffer.len();
        input.consume(count);
        if is_over {
            return Ok(());
        }
    }
}
