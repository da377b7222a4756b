//! The frame around a recording's tables: a header, messages of a kind, a length and a few fields of
//! Protocol Buffers, and a footer that says where the index is.
//!
//! <https://rerun.io/docs/concepts/logging-and-ingestion/rrd-format>

use std::io::{self, Write};
use twox_hash::XxHash32;

/// The oldest version of Rerun that reads what is written here, and the one the file names: a newer
/// name would make older viewers warn, and no later version changed what is used here.
const VERSION: [u8; 4] = [0, 24, 0, 0];

/// The application that Rerun files the recordings under.
const APPLICATION: &str = "dextra";

/// How nothing is compressed.
const UNCOMPRESSED: u64 = 1;

/// "RERUN" in base 26.
const CHECKSUM_SEED: u32 = 7_850_921;

/// A 128-bit name of a row or a table, which Rerun orders by.
#[derive(Clone, Copy)]
pub(super) struct Tuid {
    /// Counts a file's rows and tables. Rerun's own names have a time here, nanoseconds since 1970,
    /// so that a viewer takes what is written here for the year 1970.
    pub order: u64,
    /// The same for all names of a recording, so that no two recordings share one.
    pub recording: u64,
}

impl Tuid {
    /// Sixteen bytes that sort as the name does.
    pub fn bytes(self) -> [u8; 16] {
        (u128::from(self.order) << 64 | u128::from(self.recording)).to_be_bytes()
    }

    fn proto(self) -> Proto {
        Proto::default().fixed(1, self.order).fixed(2, self.recording)
    }
}

/// What a store holds.
#[derive(Clone, Copy)]
pub(super) enum StoreKind {
    Recording = 1,
    Blueprint = 2,
}

/// A store: tables which Rerun shows together.
pub(super) struct Store<'a> {
    pub kind: StoreKind,
    pub id: &'a str,
}

impl Store<'_> {
    fn proto(&self) -> Proto {
        Proto::default()
            .number(1, self.kind as u64)
            .bytes(2, self.id.as_bytes())
            .message(3, &application())
    }
}

/// The index of a store's tables; see `manifest.rs`.
pub(super) struct Manifest {
    /// All columns of the store, as an Arrow IPC schema.
    pub schema: Vec<u8>,
    /// SHA-256 of the schema with its fields in the order of their names.
    pub schema_sha256: [u8; 32],
    /// A row per table, as a stream of Arrow IPC.
    pub rows: Vec<u8>,
}

/// Where a message is in the file, bytes, without its kind and length.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub start: u64,
    pub length: u64,
}

/// A file in the making.
pub(super) struct Stream<W> {
    out: W,
    position: u64,
}

impl<W: Write> Stream<W> {
    /// Begins with magic, version, "not compressed" and "Protocol Buffers".
    pub fn new(mut out: W) -> io::Result<Stream<W>> {
        out.write_all(b"RRF2")?;
        out.write_all(&VERSION)?;
        out.write_all(&[0, 2, 0, 0])?;
        Ok(Stream { out, position: 12 })
    }

    /// Announces a store.
    pub fn store(&mut self, store: &Store, row: Tuid) -> io::Result<()> {
        let source = Proto::default()
            .number(1, 6)
            .message(2, &Proto::default().bytes(1, APPLICATION.as_bytes()));
        let version = Proto::default().number(1, u64::from(u32::from_le_bytes(VERSION)));
        let info = Proto::default()
            // Rerun up to 0.24 reads the application here, later ones in the store's name.
            .message(1, &application())
            .message(2, &store.proto())
            .message(5, &source)
            .message(6, &version);
        self.message(1, &Proto::default().message(1, &row.proto()).message(2, &info)).map(|_| ())
    }

    /// Writes one table, `payload`, as a stream of Arrow IPC.
    pub fn table(
        &mut self,
        store: &Store,
        id: Tuid,
        is_static: bool,
        payload: &[u8],
    ) -> io::Result<Span> {
        let message = Proto::default()
            .message(1, &store.proto())
            .number(2, UNCOMPRESSED)
            .number(3, payload.len() as u64)
            .number(4, 1)
            .bytes(5, payload)
            .message(6, &id.proto())
            .number(7, u64::from(is_static));
        self.message(2, &message)
    }

    /// Makes a blueprint, whose tables are written, the application's default.
    pub fn activation(&mut self, blueprint: &Store) -> io::Result<()> {
        self.message(3, &Proto::default().message(1, &blueprint.proto()).number(3, 1)).map(|_| ())
    }

    /// Ends the file with the indices of its stores.
    pub fn finish(mut self, manifests: &[(Store, Manifest)]) -> io::Result<()> {
        let mut footer = Proto::default();
        for (store, manifest) in manifests {
            let rows = Proto::default()
                .number(1, 1)
                .bytes(2, &manifest.rows)
                .number(3, UNCOMPRESSED)
                .number(4, manifest.rows.len() as u64);
            let manifest = Proto::default()
                .message(1, &store.proto())
                .message(2, &Proto::default().bytes(1, &manifest.schema))
                .bytes(3, &manifest.schema_sha256)
                .message(4, &rows);
            footer = footer.message(1, &manifest);
        }
        let span = self.message(0, &footer)?;
        self.out.write_all(&span.start.to_le_bytes())?;
        self.out.write_all(&span.length.to_le_bytes())?;
        self.out.write_all(&XxHash32::oneshot(CHECKSUM_SEED, &footer.0).to_le_bytes())?;
        self.out.write_all(b"RRF2FOOT")?;
        self.out.write_all(&1_u32.to_le_bytes())?;
        self.out.flush()
    }

    fn message(&mut self, kind: u64, message: &Proto) -> io::Result<Span> {
        let span = Span { start: self.position + 16, length: message.0.len() as u64 };
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&span.length.to_le_bytes())?;
        self.out.write_all(&message.0)?;
        self.position = span.start + span.length;
        Ok(span)
    }
}

fn application() -> Proto {
    Proto::default().bytes(1, APPLICATION.as_bytes())
}

/// The fields of one Protocol Buffers message.
#[derive(Default)]
struct Proto(Vec<u8>);

impl Proto {
    fn number(mut self, field: u64, value: u64) -> Proto {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn fixed(mut self, field: u64, value: u64) -> Proto {
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Proto {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn message(self, field: u64, value: &Proto) -> Proto {
        self.bytes(field, &value.0)
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_the_documented_bytes() {
        // The examples of <https://protobuf.dev/programming-guides/encoding/>.
        assert_eq!(Proto::default().number(1, 150).0, [0x08, 0x96, 0x01]);
        let text = Proto::default().bytes(2, b"testing").0;
        assert_eq!(text, [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let nested = Proto::default().message(3, &Proto::default().number(1, 150));
        assert_eq!(nested.0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn names_sort_in_the_order_of_the_file() {
        let bytes = |order, recording| Tuid { order, recording }.bytes();
        assert!(bytes(1, u64::MAX) < bytes(2, 0) && bytes(255, 7) < bytes(256, 7));
    }
}
