//! One file's text to items: PEM, DER, PKCS#7, JSON lines, and gzip around any of them, told apart by
//! what stands there. What cannot be read is refused alone; nothing large is held whole.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use licet_contracts::sanlicensing::v1::{IngestRecord, ingest_record::Report};
use licet_domain::certificate::{Document, document, document_length};

use super::{
    item::{Flow, Item, Place, Sink},
    lines::{self, Defaults},
};

/// How much of a file is looked at to tell its format.
const HEAD_BYTES: usize = 64 << 10;
/// The longest line, PEM block and DER document that are read.
const MAX_LINE_BYTES: usize = 4 << 20;
const MAX_DOCUMENT_BYTES: usize = 16 << 20;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One file while it is read.
pub(super) struct File<'a, 'b> {
    pub(super) name: Arc<str>,
    pub(super) owner: &'a Defaults<'a>,
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
    // A SEQUENCE of 128 octets or more: no text begins so.
    if matches!(head, [0x30, 0x80..=0xff, ..]) {
        return Format::Der;
    }
    if head.trim_ascii().is_empty() {
        return Format::Empty;
    }
    let mut lines = head
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_start);
    lines
        .find_map(|line| {
            if line.starts_with(b"{") {
                Some(Format::Lines)
            } else if line.starts_with(BEGIN) {
                Some(Format::Pem)
            } else {
                None
            }
        })
        .unwrap_or(Format::Unknown)
}

impl File<'_, '_> {
    /// Reads it all. A failure to read is an item, too.
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
            Format::Lines => self.read_lines(input),
            Format::Pem => self.read_pem(input),
            Format::Der => self.read_der(input),
            Format::Gzip => Ok(self.refuse(None, "is gzip within gzip")),
            Format::Unknown => {
                Ok(self.refuse(None, "is neither PEM, DER nor JSON lines, nor gzip of them"))
            }
        }
    }

    fn read_lines(&mut self, mut input: impl BufRead) -> io::Result<Flow> {
        let mut line = Vec::new();
        for number in 1.. {
            let Some(whole) = read_line(&mut input, &mut line)? else {
                break;
            };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let flow = self.take_line(number, &line, whole);
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue(()))
    }

    fn take_line(&mut self, number: u64, line: &[u8], whole: bool) -> Flow {
        if !whole {
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

    fn read_pem(&mut self, mut input: impl BufRead) -> io::Result<Flow> {
        let mut line = Vec::new();
        let mut open: Option<Block> = None;
        for number in 1.. {
            let Some(whole) = read_line(&mut input, &mut line)? else {
                break;
            };
            let text = line.trim_ascii();
            let flow = if text.starts_with(BEGIN) {
                let cut_off = open.replace(Block::begin(number, &line));
                self.refuse_cut_off(cut_off.as_ref())
            } else if let Some(block) = &mut open {
                block.add(&line);
                if text.starts_with(END) {
                    let block = open.take();
                    block.map_or(Flow::Continue(()), |block| self.take_block(&block))
                } else {
                    Flow::Continue(())
                }
            } else if text.starts_with(END) {
                self.refuse(
                    Some(number),
                    "is the end of a PEM block without a beginning",
                )
            } else if text.starts_with(b"{") {
                // Files of both kinds, one behind the other.
                self.take_line(number, &line, whole)
            } else {
                // Text around the blocks, as openssl writes it.
                Flow::Continue(())
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(self.refuse_cut_off(open.as_ref()))
    }

    fn refuse_cut_off(&mut self, block: Option<&Block>) -> Flow {
        match block {
            None => Flow::Continue(()),
            Some(block) => self.refuse(Some(block.line), "is a PEM block that is cut off"),
        }
    }

    fn take_block(&mut self, block: &Block) -> Flow {
        let line = Some(block.line);
        if block.is_too_long {
            return self.refuse(line, too_long("PEM block", MAX_DOCUMENT_BYTES));
        }
        match pem::parse(&block.text) {
            Err(error) => self.refuse(line, format!("is PEM that cannot be read: {error}")),
            Ok(parsed) => match parsed.tag() {
                "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                    self.take_labelled(line, parsed.into_contents())
                }
                "PKCS7" | "CMS" => self.take_document(line, parsed.into_contents()),
                // It is not sent: it may be a secret.
                tag => self.refuse(line, format!("is a {tag} and no certificate")),
            },
        }
    }

    /// What says that it is a certificate, or a PKCS#7, as some tools label it. What follows a
    /// trusted certificate is not part of it.
    fn take_labelled(&mut self, line: Option<u64>, mut der: Vec<u8>) -> Flow {
        der.truncate(document_length(&der).unwrap_or(usize::MAX));
        match document(&der) {
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
                return Ok(self.refuse(None, "has something that is not DER"));
            };
            if length > MAX_DOCUMENT_BYTES {
                return Ok(self.refuse(None, too_long("DER document", MAX_DOCUMENT_BYTES)));
            }
            if length < der.len() {
                return Ok(self.refuse(None, "has something that is no certificate"));
            }
            let missing = u64::try_from(length - der.len()).unwrap_or(u64::MAX);
            input.by_ref().take(missing).read_to_end(&mut der)?;
            if der.len() < length {
                return Ok(self.refuse(None, "is cut off"));
            }
            let flow = self.take_document(None, der);
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    fn take_document(&mut self, line: Option<u64>, der: Vec<u8>) -> Flow {
        match document(&der) {
            Document::Signed => self.send_certificate(line, der),
            Document::Bundle(each) if each.is_empty() => {
                self.refuse(line, "is a PKCS#7 without a certificate")
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
            // It is not sent: it may be a secret.
            Document::Other => self.refuse(line, "is DER of something that is no certificate"),
        }
    }

    fn take_certificate(&mut self, line: Option<u64>, der: Vec<u8>) -> Flow {
        match document(&der) {
            Document::Signed => self.send_certificate(line, der),
            Document::Bundle(_) | Document::Other => {
                self.refuse(line, "is DER of something that is no certificate")
            }
        }
    }

    /// What does not parse inside is SanLicensing's to refuse, so that it is kept and listed.
    fn send_certificate(&mut self, line: Option<u64>, der: Vec<u8>) -> Flow {
        let place = self.place(line);
        let owner = lines::owner(None, self.owner.account_id, "--account").and_then(|account| {
            Ok((
                account,
                lines::owner(None, self.owner.product_id, "--product")?,
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

/// A PEM block that has begun.
struct Block {
    line: u64,
    text: Vec<u8>,
    is_too_long: bool,
}

impl Block {
    fn begin(line: u64, text: &[u8]) -> Self {
        Self {
            line,
            text: text.to_vec(),
            is_too_long: false,
        }
    }

    fn add(&mut self, line: &[u8]) {
        if self.text.len() + line.len() > MAX_DOCUMENT_BYTES {
            self.is_too_long = true;
            self.text.clear();
        } else {
            self.text.extend_from_slice(line);
        }
    }
}

fn too_long(what: &str, bytes: usize) -> String {
    format!("is a {what} of more than {bytes} bytes")
}

/// The first bytes, without the mark that some editors put before a text, and all bytes.
fn with_head(mut input: impl Read) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::new();
    let limit = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
    input.by_ref().take(limit).read_to_end(&mut head)?;
    if head.starts_with(BYTE_ORDER_MARK) {
        head.drain(..BYTE_ORDER_MARK.len());
    }
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

/// Reads a line of bounded length with its end; says whether it is whole. What is beyond the bound is
/// passed over. `None`: there is no further line.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
    if input.by_ref().take(limit).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") || line.len() < MAX_LINE_BYTES {
        return Ok(Some(true));
    }
    input.skip_until(b'\n')?;
    Ok(Some(false))
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
