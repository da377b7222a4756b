//! What is seen beside the scene: curves, documents, messages.

use super::table::{self, Column, Component, Index};
use super::{Message, Recording, Series, When};
use crate::DataError;

components! {
    SCALARS = "Scalars" "scalars" "Scalar";
    SERIES_NAMES = "SeriesLines" "names" "Name";
    SERIES_COLORS = "SeriesLines" "colors" "Color";
    TEXT = "TextDocument" "text" "Text";
    TEXT_MEDIA = "TextDocument" "media_type" "MediaType";
    LOG_TEXT = "TextLog" "text" "Text";
    LOG_LEVEL = "TextLog" "level" "TextLogLevel";
}

impl Recording {
    /// Adds numbers over time: a row has one for each of `series`, at one of `times`, seconds.
    /// Where numbers are missing at times, give each series an entity of its own.
    pub fn scalars<R: AsRef<[f64]>>(
        &mut self,
        entity: &str,
        times: &[f64],
        series: &[Series],
        rows: &[R],
    ) -> Result<(), DataError> {
        let entity = self.free(entity, "Scalars")?;
        let index = self.index(&entity, When::At(times), rows.len())?;
        if series.is_empty() {
            return Err(self.error(&entity, "no series"));
        }
        for (row, values) in rows.iter().enumerate() {
            let values = values.as_ref();
            if values.len() != series.len() {
                let problem = format!("{} numbers for {} series", values.len(), series.len());
                return Err(self.row_error(&entity, row, problem));
            }
            if let Some(i) = values.iter().position(|value| !value.is_finite()) {
                let problem = format!("series `{}` is not finite", series[i].name);
                return Err(self.row_error(&entity, row, problem));
            }
        }
        let columns = || {
            let values = table::f64s(rows.iter().flat_map(|row| row.as_ref()).copied());
            let values = Column::new(SCALARS, rows.iter().map(|_| series.len()), values)?;
            let colors = table::u32s(series.iter().map(|series| series.color.bits()));
            let names = table::strings(series.iter().map(|series| &series.name));
            let look = vec![Column::one(SERIES_COLORS, colors)?, Column::one(SERIES_NAMES, names)?];
            Ok(vec![(Index::Static, look), (index, vec![values])])
        };
        let tables = columns().map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "Scalars", tables);
        Ok(())
    }

    /// Adds a document in Markdown that holds at all times.
    pub fn document(&mut self, entity: &str, markdown: &str) -> Result<(), DataError> {
        let entity = self.free(entity, "TextDocument")?;
        let columns = || {
            Ok(vec![
                Column::one(TEXT_MEDIA, table::strings(["text/markdown"]))?,
                Column::one(TEXT, table::strings([markdown]))?,
            ])
        };
        let columns = columns().map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "TextDocument", vec![(Index::Static, columns)]);
        Ok(())
    }

    /// Adds messages, each at one of `times`, seconds.
    pub fn messages(
        &mut self,
        entity: &str,
        times: &[f64],
        messages: &[Message],
    ) -> Result<(), DataError> {
        let entity = self.free(entity, "TextLog")?;
        let index = self.index(&entity, When::At(times), messages.len())?;
        let columns = || {
            let ones = || messages.iter().map(|_| 1);
            let levels = table::strings(messages.iter().map(|message| message.level.name()));
            let texts = table::strings(messages.iter().map(|message| &message.text));
            Ok(vec![Column::new(LOG_LEVEL, ones(), levels)?, Column::new(LOG_TEXT, ones(), texts)?])
        };
        let columns = columns().map_err(|e| self.arrow(&entity, e))?;
        self.add(entity, "TextLog", vec![(index, columns)]);
        Ok(())
    }
}
