//! Which columns of which tables, in which order. Nothing that differs between two builds of the same pictures: no row
//! numbers, no times of work, no places on this machine's disks.

use crate::store::Selection;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Real,
    Bytes,
    /// A path, of which only the file's name is told, escaped for display.
    Name,
}

/// A table as files show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub name: &'static str,
    /// Names with their kinds: `image_id text, mean real`. A name may stand for another expression: `mean real = f.mean`.
    columns: &'static str,
    from: &'static str,
}

impl Table {
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, Kind)> + use<> {
        entries(self.columns).map(|(name, kind, _)| (name, kind))
    }

    /// The query, with the text of its columns in `room`.
    pub fn selection<'a>(&self, room: &'a mut String) -> Selection<'a> {
        *room = entries(self.columns).map(|(_, _, expression)| expression).collect::<Vec<_>>().join(", ");
        Selection { columns: room, from: self.from }
    }
}

fn entries(columns: &'static str) -> impl Iterator<Item = (&'static str, Kind, &'static str)> {
    columns.split(',').map(|entry| {
        let (entry, expression) = entry.split_once('=').map_or((entry, None), |(entry, it)| (entry, Some(it.trim())));
        let (name, kind) = entry.trim().split_once(' ').unwrap_or((entry.trim(), "text"));
        let kind = match kind.trim() {
            "integer" => Kind::Integer,
            "real" => Kind::Real,
            "bytes" => Kind::Bytes,
            "name" => Kind::Name,
            _ => Kind::Text,
        };
        (name, kind, expression.unwrap_or(name))
    })
}

pub(super) const INTENSITY: Table = Table {
    name: "region_intensity",
    columns: "image_id text, region text, mean real, std real, min real, max real, p25 real, p50 real, p75 real",
    from: "region_intensity ORDER BY image_id, region",
};

pub(super) const TREND: Table = Table {
    name: "region_trend",
    columns: "image_id text, region text, grad_mean real, grad_std real, lap_mean real, lap_std real, \
              pixel_count integer = CAST(pixel_count AS INTEGER), local_variance real",
    from: "region_trend ORDER BY image_id, region",
};

/// An image a row, its outlines beside it.
pub(super) const GEOMETRY: Table = Table {
    name: "geometry",
    columns: "image_id text = i.image_id, filename text, width integer, height integer, um_per_px real, centre_x real, \
              centre_y real, core_r real, clad_r real, ferrule_r real, \
              core_cx real = c.cx, core_cy real = c.cy, core_ax real = c.ax, core_by real = c.by, \
              core_angle_deg real = c.angle_deg, core_confidence real = c.confidence, \
              cladding_cx real = g.cx, cladding_cy real = g.cy, cladding_ax real = g.ax, cladding_by real = g.by, \
              cladding_angle_deg real = g.angle_deg, cladding_confidence real = g.confidence",
    from: "images i LEFT JOIN inspection_zones c ON c.inspection_id = i.inspection_id AND c.zone = 'core' \
           LEFT JOIN inspection_zones g ON g.inspection_id = i.inspection_id AND g.zone = 'cladding' ORDER BY i.image_id",
};

pub(super) const DEFECTS: Table = Table {
    name: "defects",
    columns: "image_id text, defect_id text, dtype text, severity text, x real, y real, area_px integer, \
              confidence real, zone text, box_x integer, box_y integer, box_width integer, box_height integer, \
              length_px real, width_px real, angle_deg real, plugin text",
    from: "defects ORDER BY image_id, place",
};

pub(super) const CORRELATIONS: Table = Table {
    name: "correlations",
    columns: "image_id_a text, image_id_b text, pearson real, spearman real",
    from: "correlations ORDER BY image_id_a, image_id_b",
};

/// Everything that is known of the images.
pub(super) const ALL: [Table; 17] = [
    Table {
        name: "images",
        columns: "image_id text = i.image_id, filename text, centre_x real, centre_y real, core_r real, clad_r real, \
                  ferrule_r real, has_defect integer = i.has_defect, split text, has_defect_found integer, \
                  has_defect_by text, width integer = i.width, height integer = i.height, \
                  um_per_px real = i.um_per_px, incomplete integer = i.incomplete, \
                  quality_score real = i.quality_score, verdict text = i.verdict, pipeline_id text",
        from: "images i CROSS JOIN inspections n USING (inspection_id) ORDER BY i.image_id",
    },
    INTENSITY,
    TREND,
    Table {
        name: "region_histogram",
        columns: "image_id text, region text, name text, low real, high real, counts text, plugin text",
        from: "region_histogram ORDER BY image_id, region, name, plugin",
    },
    Table {
        name: "features",
        columns: "image_id text, region text, name text, value real, unit text, plugin text",
        from: "features ORDER BY image_id, region, name, plugin",
    },
    Table {
        name: "zones",
        columns: "image_id text, zone text, cx real, cy real, ax real, by real, angle_deg real, confidence real",
        from: "zones ORDER BY image_id, zone",
    },
    Table {
        name: "defects",
        columns: "image_id text, defect_id text, dtype text, severity text, x real, y real, area_px integer, \
                  confidence real, zone text, box_x integer, box_y integer, box_width integer, box_height integer, \
                  length_px real, width_px real, angle_deg real, plugin text, mask bytes",
        from: "defects ORDER BY image_id, place",
    },
    Table {
        name: "defect_parts",
        columns: "image_id text, defect_id text, plugin text, dtype text, severity text, confidence real, \
                  box_x integer, box_y integer, box_width integer, box_height integer, area_px integer",
        from: "defect_parts ORDER BY image_id, defect_id, place",
    },
    Table {
        name: "verdicts",
        columns: "image_id text, zone text, outcome text, rule text, defects text, profile text",
        from: "verdicts ORDER BY image_id, zone, rule, outcome",
    },
    CORRELATIONS,
    Table {
        name: "captures",
        columns: "source text = s.name, name name = c.path, image_id text, state text, size integer, tags text, \
                  failure text = c.failure_message",
        from: "captures c JOIN sources s USING (source_id) WHERE c.state <> 'replaced' ORDER BY s.name, c.path",
    },
    Table {
        name: "plugins",
        columns: "plugin text, build text, version text, slot text",
        from: "plugins ORDER BY plugin, build, slot",
    },
    Table { name: "pipelines", columns: "pipeline_id text, content text", from: "pipelines ORDER BY pipeline_id" },
    Table {
        name: "reviews",
        columns: "review_id integer, image_id text, reviewer text, at text, decision text, has_defect integer, \
                  defect_id text, dtype text, box_x integer, box_y integer, box_width integer, box_height integer, \
                  mask bytes, note text",
        from: "reviews ORDER BY review_id",
    },
    Table {
        name: "runs",
        columns: "run_id text, task text, arch text, state text, settings text, started_at text, ended_at text, \
                  best_epoch integer, message text",
        from: "runs ORDER BY run_id",
    },
    Table {
        name: "epochs",
        columns: "run_id text, epoch integer, at text, seconds real, figures text",
        from: "epochs ORDER BY run_id, epoch",
    },
    Table {
        name: "models",
        columns: "model_id text, run_id text, task text, arch text, figures text, made_at text, deployed integer",
        from: "models ORDER BY model_id",
    },
];
