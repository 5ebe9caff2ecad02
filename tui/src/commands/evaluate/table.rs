//! The figures of an evaluation as a table for a person. Only words and columns; every number comes from core.

use ferrule_core::evaluate::{
    CLADDING_TOLERANCE, CORE_TOLERANCE, Calibration, DefectFigures, Estimate, LabelFigures, OneKind, OutlineFigures,
    Part, Report, Share,
};

/// What Mei, Wang, Wen and Hu report for their own pictures (Sensors 2018, 18, 1408), by class.
const PUBLISHED: [(&str, f64); 2] = [("region", 0.960), ("scratch", 0.893)];

/// All lines.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let pictures = report.pictures;
    let mut head = format!("{}: {} of {} pictures scored", report.truth, pictures.scored, pictures.listed);
    for (count, word) in [(pictures.failed, "of them not inspected"), (pictures.missing, "missing")] {
        if count > 0 {
            head += &format!(", {count} {word}");
        }
    }
    lines.push(head);
    lines.push(format!("pipeline {}", report.pipeline));
    lines.extend(outlines(report));
    if report.figures.defects.pictures > 0 {
        lines.extend(defects(&report.figures.defects));
    }
    if report.figures.images.pictures > 0 {
        lines.extend(labels(&report.figures.images));
    }
    lines.extend(calibrations(report));
    lines.extend(worst(report));
    if !(report.failed.is_empty() && report.faults.is_empty() && report.remarks.is_empty()) {
        lines.extend([String::new(), "Not as it should be".into()]);
        lines.extend(report.failed.iter().map(|failed| format!("  {}: {}", failed.file, failed.error)));
        lines.extend(report.faults.iter().map(|fault| format!("  left out: {fault}")));
        lines.extend(report.remarks.iter().map(|remark| format!("  {remark}")));
    }
    lines
}

fn outlines(report: &Report) -> Vec<String> {
    let zones = &report.figures.outlines;
    let rows = [("cladding", &zones.cladding, CLADDING_TOLERANCE), ("core", &zones.core, CORE_TOLERANCE)];
    let said = |zone: &OutlineFigures| zone.n + zone.faint.n + zone.false_claims.of > 0;
    if !rows.iter().any(|(_, zone, _)| said(zone)) {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        "Outlines                n  within tolerance          mean px  median px   95 % px  missing  false claims"
            .into(),
    ];
    for (name, zone, share) in rows.into_iter().filter(|(_, zone, _)| said(zone)) {
        let px = |value: Option<f64>| value.map_or_else(|| "-".into(), |px| format!("{px:.2}"));
        let claims = zone.false_claims;
        lines.push(format!(
            "  {name:<14} {:>8}  {:<22} {:>9} {:>10} {:>9} {:>8}  {}",
            zone.n,
            percent(&zone.hits),
            px(zone.mean_error),
            px(zone.median_error),
            px(zone.p95_error),
            zone.missing,
            if claims.of == 0 { "-".into() } else { format!("{} of {}", claims.count, claims.of) },
        ));
        if zone.faint.n > 0 {
            let faint = zone.faint;
            lines.push(format!(
                "    faint        {:>8}  {} found, {} rightly not claimed, {} wrong",
                faint.n, faint.hit, faint.accepted, faint.wrong
            ));
        }
        lines.push(format!("    tolerance: the larger of 1.5 px and {} % of the radius", share * 100.0));
    }
    lines
}

fn defects(figures: &DefectFigures) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "Defects               recall                        precision                     F1".into(),
        part_line("all", &figures.recall, &figures.precision, figures.f1),
    ];
    let parts = |parts: &[Part]| -> Vec<String> {
        parts.iter().map(|part| part_line(part.name, &part.recall, &part.precision, part.f1)).collect()
    };
    lines.push("  by type (true for recall, said for precision)".into());
    lines.extend(parts(&figures.by_type));
    if !figures.by_zone.is_empty() {
        lines.push("  by zone".into());
        lines.extend(parts(&figures.by_zone));
    }
    if !figures.by_contrast.is_empty() {
        lines.push("  by contrast           all                           scratches                     others".into());
        for bin in &figures.by_contrast {
            let range = bin.high.map_or_else(|| format!("from {}", bin.low), |high| format!("{} to {high}", bin.low));
            let cells = [counted(&bin.recall), counted(&bin.scratch), counted(&bin.region)];
            lines.push(
                format!("    {range:<16}  {:<28}  {:<28}  {}", cells[0], cells[1], cells[2]).trim_end().to_owned(),
            );
        }
    }
    let per = |value: Option<f64>, what: &str| value.map(|value| format!("{value:.3} a {what}"));
    let rates = [
        per(figures.false_alarms_per_megapixel, "megapixel"),
        per(figures.false_alarms_per_clean_picture, "clean picture"),
    ];
    lines.push(format!(
        "  false alarms {}: {}; {} fragments, {} in ignored areas",
        figures.false_alarms,
        rates.into_iter().flatten().collect::<Vec<_>>().join(", "),
        figures.fragments,
        figures.neutral
    ));
    if figures.clean_pictures_with_false_alarms.of > 0 {
        lines.push(format!("  clean pictures with any  {}", counted(&figures.clean_pictures_with_false_alarms)));
    }
    if figures.type_agreement.of > 0 {
        lines.push(format!("  right type               {}", counted(&figures.type_agreement)));
        let mixed = figures.confusion.iter().filter(|row| row.truth != row.said);
        let mixed: Vec<String> = mixed.map(|row| format!("{} {} called {}", row.count, row.truth, row.said)).collect();
        if !mixed.is_empty() {
            lines.push(format!("    {}", mixed.join(", ")));
        }
    }
    if figures.zone_agreement.of > 0 {
        lines.push(format!("  right zone               {}", counted(&figures.zone_agreement)));
    }
    lines
}

fn part_line(name: &str, recall: &Share, precision: &Share, f1: Option<f64>) -> String {
    let f1 = f1.map_or_else(|| "-".into(), |f1| format!("{f1:.3}"));
    format!("    {name:<16}  {:<28}  {:<28}  {f1}", counted(recall), counted(precision))
}

fn labels(figures: &LabelFigures) -> Vec<String> {
    let mut lines = vec![String::new(), "Pictures: defect or clean".into()];
    let undecided =
        if figures.undecided > 0 { format!(", {} without an answer", figures.undecided) } else { String::new() };
    lines.push(format!("  accuracy         {}{undecided}", counted(&figures.accuracy)));
    lines.push(format!("  defect found     {}", counted(&figures.sensitivity)));
    lines.push(format!("  clean left so    {}", counted(&figures.specificity)));
    if let Some(auc) = &figures.roc.auc {
        lines.push(format!("  area under ROC   {:.4} ({:.4} to {:.4})", auc.value, auc.low, auc.high));
    }
    if !figures.by_kind.is_empty() && figures.specificity.of > 0 {
        lines.push("  pictures with one kind only, against the clean ones".into());
        lines.push(
            "                   found                         balanced accuracy        area under ROC  published"
                .into(),
        );
        lines.extend(figures.by_kind.iter().map(one_kind));
        lines.push("    published: Mei et al., Sensors 2018, 18, 1408, on their own pictures".into());
    }
    lines
}

fn one_kind(kind: &OneKind) -> String {
    let interval =
        |it: &Estimate| format!("{:.1} % ({:.1} to {:.1})", 100.0 * it.value, 100.0 * it.low, 100.0 * it.high);
    let published = PUBLISHED.iter().find(|(name, _)| *name == kind.name);
    format!(
        "    {:<12}  {:<28}  {:<24} {:>14}  {}",
        kind.name,
        counted(&kind.sensitivity),
        kind.balanced_accuracy.as_ref().map_or_else(|| "-".into(), interval),
        kind.auc.map_or_else(|| "-".into(), |auc| format!("{:.4}", auc.value)),
        published.map_or_else(String::new, |(_, value)| format!("{:.1} %", 100.0 * value)),
    )
    .trim_end()
    .to_owned()
}

fn calibrations(report: &Report) -> Vec<String> {
    let figures = &report.figures;
    let rows = [
        ("defects", &figures.defects.calibration),
        ("cladding", &figures.outlines.cladding.calibration),
        ("core", &figures.outlines.core.calibration),
    ];
    if rows.iter().all(|(_, calibration)| calibration.n == 0) {
        return Vec::new();
    }
    let mut lines =
        vec![String::new(), "Confidence              n   expected error    Brier   said -> right (n)".into()];
    lines.extend(rows.iter().filter(|(_, it)| it.n > 0).map(|(name, it)| calibration_line(name, it)));
    lines
}

fn calibration_line(name: &str, calibration: &Calibration) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
    let bins = calibration.bins.iter().map(|bin| format!("{:.2}->{:.2} ({})", bin.mean_confidence, bin.right, bin.n));
    format!(
        "  {name:<14} {:>8} {:>16} {:>8}   {}",
        calibration.n,
        number(calibration.expected_calibration_error),
        number(calibration.brier),
        bins.collect::<Vec<_>>().join("  ")
    )
}

fn worst(report: &Report) -> Vec<String> {
    if report.worst.is_empty() {
        return Vec::new();
    }
    let mut lines =
        vec![String::new(), "Worst pictures                        missed  false  cladding px  core px  label".into()];
    for picture in &report.worst {
        let px = |value: Option<f64>| value.map_or_else(|| "-".into(), |px| format!("{px:.2}"));
        lines.push(
            format!(
                "  {:<36} {:>5} {:>6} {:>12} {:>8}  {}",
                picture.file,
                picture.missed,
                picture.false_alarms,
                px(picture.cladding_error),
                px(picture.core_error),
                if picture.mislabelled { "wrong" } else { "" },
            )
            .trim_end()
            .to_owned(),
        );
    }
    lines
}

/// `93.1 % (90.2 to 95.3)`.
fn percent(share: &Share) -> String {
    match (share.value, share.low, share.high) {
        (Some(value), Some(low), Some(high)) => {
            format!("{:.1} % ({:.1} to {:.1})", 100.0 * value, 100.0 * low, 100.0 * high)
        }
        _ => "-".into(),
    }
}

/// With how many of how many.
fn counted(share: &Share) -> String {
    if share.of == 0 { "-".into() } else { format!("{} {}/{}", percent(share), share.count, share.of) }
}
