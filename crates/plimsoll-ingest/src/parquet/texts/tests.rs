//! Tests of reading texts: whatever way a file was written, they are what the `parquet` crate's own
//! reader reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use super::super::cells::Cells;
use super::*;
use crate::rejection::{Reason, Rejection};

/// How a column is written.
#[derive(Clone, Debug)]
struct Form {
    nullable: bool,
    dictionary: bool,
    /// A dictionary that grows larger is left for plain texts in the middle of the column.
    dictionary_bytes: usize,
    page_rows: usize,
    version: WriterVersion,
    compression: Compression,
}

fn forms() -> impl Strategy<Value = Form> {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let compressions = vec![Compression::UNCOMPRESSED, Compression::SNAPPY, zstd];
    let versions = vec![WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    (
        any::<bool>(),
        prop::bool::weighted(0.8),
        prop::sample::select(vec![1, 30, 200, 1 << 20]),
        prop::sample::select(vec![1, 7, 64, 1000]),
        prop::sample::select(versions),
        prop::sample::select(compressions),
    )
        .prop_map(
            |(nullable, dictionary, dictionary_bytes, page_rows, version, compression)| Form {
                nullable,
                dictionary,
                dictionary_bytes,
                page_rows,
                version,
                compression,
            },
        )
}

/// Stretches of a text or of null, of every length that is packed in another way.
fn texts() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    let text = prop_oneof![
        Just(None),
        (0_u32..40).prop_map(|name| Some(format!("name-{name}").into_bytes())),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Some),
    ];
    let stretch = (text, prop_oneof![4 => 1_usize..3, 1 => 5_usize..60])
        .prop_map(|(text, rows)| vec![text; rows]);
    prop::collection::vec(stretch, 0..120).prop_map(|stretches| stretches.concat())
}

fn write(texts: &[Option<Vec<u8>>], form: &Form) -> (Pages, ParquetMetaData) {
    let repetition = if form.nullable { "OPTIONAL" } else { "REQUIRED" };
    let schema = format!("message m {{ {repetition} BYTE_ARRAY name; }}");
    // The second version would choose one that is refused.
    let properties = WriterProperties::builder()
        .set_encoding(Encoding::PLAIN)
        .set_dictionary_enabled(form.dictionary)
        .set_dictionary_page_size_limit(form.dictionary_bytes)
        .set_data_page_row_count_limit(form.page_rows)
        .set_write_batch_size(form.page_rows)
        .set_writer_version(form.version)
        .set_compression(form.compression)
        .build();
    let mut file = tempfile::tempfile().unwrap();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let levels: Vec<i16> = texts.iter().map(|text| text.is_some().into()).collect();
    let there: Vec<_> = texts.iter().flatten().map(|text| ByteArray::from(text.clone())).collect();
    let levels = form.nullable.then_some(levels.as_slice());
    column.typed::<ByteArrayType>().write_batch(&there, levels, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    opened(file)
}

fn opened(file: File) -> (Pages, ParquetMetaData) {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    (Pages::new(file), metadata)
}

/// What each row means, and how often each meaning was asked for.
type Read = (Vec<Taken<Option<String>>>, BTreeMap<Option<String>, usize>);

fn read(pages: &Pages, metadata: &ParquetMetaData, rows_max: usize) -> Read {
    let mut column = Texts::open(pages, metadata.row_group(0), 0).unwrap();
    let (mut all, mut asked) = (Vec::new(), BTreeMap::new());
    loop {
        let rows = column
            .fill(rows_max, &mut |text| {
                let text = text.map(str::to_owned);
                *asked.entry(text.clone()).or_default() += 1;
                Ok(text)
            })
            .unwrap();
        let names = column.places().iter().map(|place| column.name(*place).cloned());
        all.extend(names);
        if rows < rows_max {
            return (all, asked);
        }
    }
}

/// The same by the crate's reader.
fn read_typed(pages: &Pages, metadata: &ParquetMetaData, rows: usize) -> Vec<Option<Vec<u8>>> {
    let mut cells = Cells::<ByteArrayType>::open(pages, metadata.row_group(0), 0).unwrap();
    assert_eq!(cells.fill(rows + 1).unwrap(), rows);
    (0..rows).map(|row| cells.cell(row).map(|text| text.data().to_vec())).collect()
}

fn meaning(text: Option<Vec<u8>>) -> Taken<Option<String>> {
    let text = text.map(String::from_utf8).transpose();
    text.map_err(|_| Rejection::new(Reason::Unreadable, "a text is not UTF-8"))
}

proptest! {
    #[test]
    fn texts_are_what_the_typed_reader_reads(
        form in forms(),
        mut texts in texts(),
        rows_max in prop::sample::select(vec![1_usize, 5, 100, 8192]),
    ) {
        if !form.nullable {
            texts.retain(Option::is_some);
        }
        let (pages, metadata) = write(&texts, &form);
        prop_assert_eq!(&read_typed(&pages, &metadata, texts.len()), &texts);
        let want: Vec<_> = texts.into_iter().map(meaning).collect();
        prop_assert_eq!(read(&pages, &metadata, rows_max).0, want);
    }
}

const FORM: Form = Form {
    nullable: true,
    dictionary: true,
    dictionary_bytes: 1 << 24,
    page_rows: 1000,
    version: WriterVersion::PARQUET_1_0,
    compression: Compression::SNAPPY,
};

#[test]
fn a_dictionary_is_left_in_the_middle_of_a_column() {
    let form = Form { dictionary_bytes: 100, page_rows: 7, ..FORM };
    let texts: Vec<_> = (0..200).map(|row| Some(format!("name-{row}").into_bytes())).collect();
    let (pages, metadata) = write(&texts, &form);
    let encodings: Vec<_> = metadata.row_group(0).column(0).encodings().collect();
    let both = [Encoding::PLAIN, Encoding::RLE_DICTIONARY];
    assert!(both.iter().all(|one| encodings.contains(one)), "{encodings:?}");
    let want: Vec<_> = texts.into_iter().map(meaning).collect();
    assert_eq!(read(&pages, &metadata, 50).0, want);
}

#[test]
fn a_text_is_looked_at_once_however_many_rows_have_it() {
    let names = [Some("a"), Some("b"), None, Some("a")];
    let texts = names.map(|name| name.map(|name| name.as_bytes().to_vec()));
    let texts: Vec<_> = texts.into_iter().cycle().take(20_000).collect();
    let (pages, metadata) = write(&texts, &FORM);
    let (_, asked) = read(&pages, &metadata, 100);
    let once = [None, Some("a".to_owned()), Some("b".to_owned())].map(|name| (name, 1));
    assert_eq!(asked, BTreeMap::from(once));
}

#[test]
fn more_names_than_are_remembered_are_read_all_the_same() {
    let name = |row: usize| format!("name-{}", row % (KNOWN_MAX + 9000));
    let texts: Vec<_> = (0..2 * KNOWN_MAX).map(|row| Some(name(row).into_bytes())).collect();
    for dictionary in [true, false] {
        let (pages, metadata) = write(&texts, &Form { dictionary, ..FORM });
        let mut column = Texts::open(&pages, metadata.row_group(0), 0).unwrap();
        let mut row = 0;
        while column.fill(8192, &mut |text| Ok(text.unwrap().to_owned())).unwrap() > 0 {
            assert!(column.names.names.len() <= KNOWN_MAX + 8192);
            for place in column.places() {
                assert_eq!(column.name(*place), Ok(&name(row)));
                row += 1;
            }
        }
        assert_eq!(row, texts.len());
    }
}

#[test]
fn levels_of_old_writers_are_one_bit_a_row() {
    let page = Bytes::from_static(&[0b0000_0101, 0b0000_0010, 7, 7]);
    #[expect(deprecated, reason = "files of old writers have it")]
    let (mut levels, texts) = first_levels(&page, 10, Encoding::BIT_PACKED).unwrap();
    let mut list = Vec::new();
    assert_eq!(levels.next(10, &mut list).unwrap(), Some(Next::Listed));
    assert_eq!(list, [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(texts, [7, 7].as_slice());
}

#[test]
fn what_is_too_short_is_an_error() {
    let check = |bytes: &'static [u8], nullable: bool, encoding: Encoding| {
        let page = Page::DataPage {
            buf: Bytes::from_static(bytes),
            num_values: 9,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        assert!(read_page(page, nullable).is_err(), "{bytes:?}, {encoding}");
    };
    check(&[], true, Encoding::PLAIN);
    check(&[1, 0, 0], true, Encoding::PLAIN);
    check(&[1, 0, 0, 0], true, Encoding::PLAIN);
    check(&[0xff; 8], true, Encoding::PLAIN);
    check(&[2, 0, 0, 0, 0x12, 1], true, Encoding::PLAIN);
    check(&[2, 0, 0, 0, 0x10, 0], true, Encoding::PLAIN);
    check(&[0xff, 0xff, 0xff, 0xff], false, Encoding::PLAIN);
    check(&[], false, Encoding::RLE_DICTIONARY);
    check(&[33, 0x12, 0], false, Encoding::RLE_DICTIONARY);
    check(&[1, 0x10, 0], false, Encoding::RLE_DICTIONARY);
    check(&[8, 0x12, 40], false, Encoding::RLE_DICTIONARY);
    check(&[1, 0x12, 0], false, Encoding::DELTA_BYTE_ARRAY);
    let dictionary = |bytes: &'static [u8], count: u32| {
        Dictionary::new(Bytes::from_static(bytes), count, Encoding::PLAIN).is_err()
    };
    assert!(dictionary(&[1, 0, 0, 0, 7, 1, 0, 0, 0], 2));
    assert!(dictionary(&[1, 0, 0, 0, 7], 2));
    assert!(!dictionary(&[1, 0, 0, 0, 7], 1));
}

/// Reads one page of a column whose dictionary has one name.
fn read_page(page: Page, nullable: bool) -> Result<usize> {
    let (pages, metadata) = write(&[Some(b"only".to_vec())], &Form { nullable, ..FORM });
    let mut column = Texts::open(&pages, metadata.row_group(0), 0).unwrap();
    let mut meaning = |text: Option<&str>| Ok(text.map(str::to_owned));
    column.fill(1, &mut meaning).unwrap();
    column.page = TextPage::new(page, nullable, true)?;
    column.fill(9, &mut meaning)
}

proptest! {
    /// None of them reaches what catches the panics of the `parquet` crate.
    #[test]
    fn no_page_ends_the_reader(
        bytes in prop::collection::vec(prop_oneof![0_u8..20, any::<u8>()], 0..40),
        nullable in any::<bool>(),
        is_second in any::<bool>(),
        plain in any::<bool>(),
        lengths in (0_u32..50, 0_u32..50),
    ) {
        let encoding = if plain { Encoding::PLAIN } else { Encoding::RLE_DICTIONARY };
        let (buf, num_values) = (Bytes::from(bytes), 9);
        let page = if is_second {
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls: 2,
                num_rows: 9,
                def_levels_byte_len: lengths.0,
                rep_levels_byte_len: lengths.1,
                is_compressed: false,
                statistics: None,
            }
        } else {
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            }
        };
        if let Ok(rows) = read_page(page, nullable) {
            prop_assert_eq!(rows, 9);
        }
    }
}
