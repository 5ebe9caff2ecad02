//! What the page tells in numbers, each counted by the database.

use super::super::{Export, ExportError};
use crate::{
    control::Subgroup,
    store::{Cell, Selection},
};

/// Points of the control chart at most, and images of a point at least.
const POINTS: u64 = 60;
const LEAST: u64 = 20;

/// A name and how often.
pub(super) type Counts = Vec<(String, u64)>;

#[derive(Debug, Default)]
pub(super) struct Figures {
    pub images: u64,
    pub captures: Counts,
    pub labels: Counts,
    pub splits: Counts,
    pub verdicts: Counts,
    pub kinds: Counts,
    pub severities: Counts,
    /// Zone, outcome, how often.
    pub zones: Vec<(String, String, u64)>,
    /// Images by their number of defects: 0 to 9, and more.
    pub defects: Vec<u64>,
    /// Images by quality score, in tens; and those without one.
    pub quality: Vec<u64>,
    pub without_quality: u64,
    /// Labelled images and how many of them have a defect, group by group in the order in which they were taken.
    pub groups: Vec<Subgroup>,
    pub builds: Vec<Build>,
    pub pipelines: Counts,
    pub pairs: u64,
}

/// A plug-in that judged images which are in the dataset.
#[derive(Debug)]
pub(super) struct Build {
    pub slot: String,
    pub plugin: String,
    pub version: String,
    pub build: String,
    pub parameters: String,
    pub images: u64,
}

impl Figures {
    pub fn read(export: &Export<'_>) -> Result<Self, ExportError> {
        let counts = |name: &'static str, from: &'static str| counts(export, name, from);
        let label = "CASE has_defect WHEN 1 THEN 'defect' WHEN 0 THEN 'clean' ELSE 'no label' END";
        let severity =
            "CASE severity WHEN 'CRITICAL' THEN 5 WHEN 'HIGH' THEN 4 WHEN 'MEDIUM' THEN 3 WHEN 'LOW' THEN 2 ELSE 1 END";
        let mut figures = Self {
            images: export.reader.image_count()?,
            captures: counts("state, captures", "capture_counts WHERE captures > 0 ORDER BY state")?,
            labels: self::counts(export, label, "images GROUP BY 1 ORDER BY 1")?,
            splits: counts("coalesce(split, 'no split')", "images GROUP BY 1 ORDER BY 1")?,
            verdicts: counts("coalesce(verdict, 'not graded')", "images GROUP BY 1 ORDER BY 1")?,
            kinds: counts("dtype", "defects GROUP BY 1 ORDER BY 1")?,
            severities: self::counts(export, "severity", &format!("defects GROUP BY 1 ORDER BY {severity}"))?,
            pipelines: counts(
                "pipeline_id",
                "images CROSS JOIN inspections USING (inspection_id) GROUP BY 1 ORDER BY 1",
            )?,
            defects: vec![0; 11],
            quality: vec![0; 10],
            ..Self::default()
        };
        each(export, "zone, outcome, count(*)", "verdicts GROUP BY 1, 2 ORDER BY 1, 2", |cells| {
            figures.zones.push((text(cells, 0), text(cells, 1), number(cells, 2)));
        })?;
        let defects = "images i CROSS JOIN inspections n USING (inspection_id) GROUP BY 1";
        each(export, "min(coalesce(n.defects, 0), 10), count(*)", defects, |cells| {
            figures.defects[number(cells, 0) as usize] += number(cells, 1);
        })?;
        each(export, "CAST(min(quality_score, 99.999) / 10 AS INTEGER), count(*)", "images GROUP BY 1", |cells| {
            match cells.first() {
                Some(Cell::Integer(ten @ 0..10)) => figures.quality[*ten as usize] += number(cells, 1),
                _ => figures.without_quality += number(cells, 1),
            }
        })?;
        each(export, "count(*)", "correlations", |cells| figures.pairs = number(cells, 0))?;
        figures.read_groups(export)?;
        let stages = "pipeline_stages s JOIN (SELECT pipeline_id, count(*) AS images FROM images CROSS JOIN inspections USING (inspection_id)
                   GROUP BY pipeline_id) c USING (pipeline_id)
             GROUP BY 1, 2, 3, 4, 5
             ORDER BY CASE s.slot WHEN 'segment' THEN 1 WHEN 'detect' THEN 2 WHEN 'measure' THEN 3 ELSE 4 END, 2, 3, 4, 5";
        let columns = "s.slot, s.plugin, s.version, s.build, s.parameters, sum(c.images)";
        each(export, columns, stages, |cells| {
            figures.builds.push(Build {
                slot: text(cells, 0),
                plugin: text(cells, 1),
                version: text(cells, 2),
                build: text(cells, 3),
                parameters: text(cells, 4),
                images: number(cells, 5),
            });
        })?;
        Ok(figures)
    }

    fn read_groups(&mut self, export: &Export<'_>) -> Result<(), ExportError> {
        let labelled: u64 = self.labels.iter().filter(|(name, _)| name != "no label").map(|(_, count)| count).sum();
        let size = labelled.div_ceil(POINTS).max(LEAST);
        let groups = &mut self.groups;
        each(export, "has_defect", "images WHERE has_defect IS NOT NULL ORDER BY capture_id", |cells| {
            if groups.last().is_none_or(|group| group.of >= size) {
                groups.push(Subgroup::default());
            }
            if let Some(group) = groups.last_mut() {
                group.of += 1;
                group.defective += number(cells, 0);
            }
        })?;
        // A rest of a few says nothing.
        if groups.len() > 1 && groups.last().is_some_and(|group| group.of < size.div_ceil(2)) {
            groups.pop();
        }
        Ok(())
    }
}

fn counts(export: &Export<'_>, name: &str, from: &str) -> Result<Counts, ExportError> {
    let columns = if name.contains(", captures") { name.to_owned() } else { format!("{name}, count(*)") };
    let mut counts = Counts::new();
    each(export, &columns, from, |cells| counts.push((text(cells, 0), number(cells, 1))))?;
    Ok(counts)
}

fn each(export: &Export<'_>, columns: &str, from: &str, mut one: impl FnMut(&[Cell<'_>])) -> Result<(), ExportError> {
    export.reader.each_row(&Selection { columns, from }, |cells| {
        one(cells);
        Ok::<_, ExportError>(())
    })
}

fn text(cells: &[Cell<'_>], place: usize) -> String {
    match cells.get(place) {
        Some(Cell::Text(text)) => (*text).to_owned(),
        _ => String::new(),
    }
}

fn number(cells: &[Cell<'_>], place: usize) -> u64 {
    match cells.get(place) {
        Some(Cell::Integer(number)) => number.unsigned_abs(),
        _ => 0,
    }
}
