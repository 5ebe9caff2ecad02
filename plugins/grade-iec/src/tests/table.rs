//! Every row of the documents' tables: sizes below, at and above each limit, and numbers at and above what is allowed.

use ferrule_abi::{DefectKind, Outcome, ZoneName};

use crate::{
    judge::{self, Found},
    profile::{Profile, SHIPPED},
};

fn profile(name: &str) -> Profile {
    let (_, text) = SHIPPED.iter().find(|(file, _)| *file == format!("{name}.toml")).unwrap();
    Profile::parse(text).unwrap()
}

fn outcome(name: &str, zone: ZoneName, kind: DefectKind, sizes: &[f64]) -> Outcome {
    let profile = profile(name);
    let ring = profile.rings.iter().find(|ring| ring.zone == zone).unwrap();
    let mut found = Found::default();
    for (place, size) in (0..).zip(sizes) {
        found.add(place, *size, kind);
    }
    judge::zone(ring, &found, 1.0).outcome
}

/// Sizes in micrometres that a row allows, and sizes that it does not.
type Row = (ZoneName, DefectKind, Vec<Vec<f64>>, Vec<Vec<f64>>);

fn check(profiles: &[&str], rows: &[Row]) {
    for name in profiles {
        for (zone, kind, allowed, refused) in rows {
            for (sizes, wanted) in
                allowed.iter().map(|s| (s, Outcome::Pass)).chain(refused.iter().map(|s| (s, Outcome::Fail)))
            {
                assert_eq!(outcome(name, *zone, *kind, sizes), wanted, "{name} {zone:?} {kind:?} {sizes:?}");
            }
        }
    }
}

fn many(count: usize, size: f64) -> Vec<f64> {
    vec![size; count]
}

fn none(zone: ZoneName, kind: DefectKind) -> Row {
    (zone, kind, vec![vec![]], vec![vec![0.0], vec![0.1], vec![500.0]])
}

fn any(zone: ZoneName, kind: DefectKind) -> Row {
    (zone, kind, vec![vec![], many(60, 0.5), many(60, 500.0)], vec![])
}

/// Any number up to a size, nothing above.
fn up_to(zone: ZoneName, kind: DefectKind, um: f64) -> Row {
    (zone, kind, vec![vec![], many(60, um - 0.01), many(60, um)], vec![vec![um + 0.01], vec![0.1, 500.0]])
}

/// Any number below the first size, so many from there to the second, nothing above.
fn few_between(zone: ZoneName, from: f64, to: f64) -> Row {
    let mixed = [many(60, from - 0.01), many(2, from), many(3, to)].concat();
    let allowed = vec![vec![], many(60, from - 0.01), many(5, from), many(5, to), mixed.clone()];
    let refused = vec![many(6, from), many(6, to), [mixed, vec![from]].concat(), vec![to + 0.01]];
    (zone, DefectKind::Pit, allowed, refused)
}

/// At most four up to a size, nothing above.
fn four_up_to(zone: ZoneName, kind: DefectKind, um: f64) -> Row {
    let allowed = vec![vec![], many(4, 0.1), many(4, um)];
    (zone, kind, allowed, vec![many(5, 0.1), many(5, um), vec![um + 0.01]])
}

use DefectKind::{Pit, Scratch};
use ZoneName::{Adhesive, Cladding, Core, Ferrule};

#[test]
fn single_mode_pc_with_return_loss_of_45_db() {
    let rows = [
        none(Core, Scratch),
        up_to(Cladding, Scratch, 3.0),
        any(Adhesive, Scratch),
        any(Ferrule, Scratch),
        none(Core, Pit),
        few_between(Cladding, 2.0, 5.0),
        any(Adhesive, Pit),
        up_to(Ferrule, Pit, 10.0),
    ];
    check(&["sm-pc-panduit", "sm-pc-bicsi"], &rows);
}

#[test]
fn single_mode_apc() {
    let rows = [
        four_up_to(Core, Scratch, 3.0),
        any(Cladding, Scratch),
        any(Adhesive, Scratch),
        any(Ferrule, Scratch),
        none(Core, Pit),
        few_between(Cladding, 2.0, 5.0),
        any(Adhesive, Pit),
        up_to(Ferrule, Pit, 10.0),
    ];
    check(&["sm-apc-panduit"], &rows);
}

#[test]
fn multimode_pc_by_the_first_edition() {
    let below_ten: Row = (Ferrule, Pit, vec![vec![], many(60, 9.99)], vec![vec![10.0], vec![10.01]]);
    let rows = [
        up_to(Core, Scratch, 5.0),
        up_to(Cladding, Scratch, 5.0),
        any(Adhesive, Scratch),
        any(Ferrule, Scratch),
        four_up_to(Core, Pit, 5.0),
        few_between(Cladding, 2.0, 5.0),
        any(Adhesive, Pit),
        below_ten,
    ];
    check(&["mm-pc-ed1"], &rows);
}

#[test]
fn multimode_pc_by_panduit() {
    let rows = [
        up_to(Core, Scratch, 3.0),
        up_to(Cladding, Scratch, 5.0),
        any(Adhesive, Scratch),
        any(Ferrule, Scratch),
        four_up_to(Core, Pit, 5.0),
        few_between(Cladding, 5.0, 10.0),
        any(Adhesive, Pit),
        few_between(Ferrule, 20.0, 30.0),
    ];
    check(&["mm-pc-panduit"], &rows);
}

#[test]
fn zones_end_where_each_document_has_them_end() {
    for (name, diameters) in [
        ("sm-pc-panduit", [25.0, 115.0, 135.0, 250.0]),
        ("sm-apc-panduit", [25.0, 115.0, 135.0, 250.0]),
        ("mm-pc-panduit", [65.0, 115.0, 135.0, 250.0]),
        ("sm-pc-bicsi", [25.0, 120.0, 130.0, 250.0]),
        ("mm-pc-ed1", [65.0, 120.0, 130.0, 250.0]),
    ] {
        let profile = profile(name);
        assert_eq!(profile.rings.iter().map(|ring| ring.outer_um).collect::<Vec<_>>(), diameters, "{name}");
        assert_eq!(profile.rings.iter().map(|ring| ring.zone).collect::<Vec<_>>(), ZoneName::ALL, "{name}");
        let starts: Vec<f64> = profile.rings.iter().map(|ring| ring.inner_um).collect();
        assert_eq!(starts, [0.0, diameters[0], diameters[1], diameters[2]], "{name}");
    }
}
