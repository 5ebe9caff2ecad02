//! Plug-ins: every one that was found, slot by slot, those in the pipeline in their order with health and times; in and
//! out of it, earlier and later; parameters as a form whose effect is shown on a picture before it is applied; past swaps.

mod builds;
mod draw;
mod form;

use ferrule_core::{
    change::{Change, Position},
    ids::PluginId,
    protocol::{PluginFound, PluginList, PluginStatus, Status},
    swap::Swap,
};

pub use self::{builds::Builds, form::ParameterForm};
use super::{Look, chosen, middle, pane};
use crate::workbench::{
    keys::{self, Action, Binding, Bindings, Key, PluginAction, hidden, shown},
    text,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Plugins), list: LIST };

const LIST: &[Binding] = &[
    shown(keys::ENTER, Action::Plugin(PluginAction::Open)),
    shown(&[Key::char('e')], Action::Plugin(PluginAction::Switch)),
    shown(&[Key::char('K')], Action::Plugin(PluginAction::Earlier)),
    shown(&[Key::char('J')], Action::Plugin(PluginAction::Later)),
    shown(&[Key::char('s')], Action::Plugin(PluginAction::Swaps)),
    shown(&[Key::char('b')], Action::Plugin(PluginAction::Builds)),
    shown(&[Key::char('u')], Action::Release),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// Keys while the builds of a plug-in are looked at.
pub const BUILDS: Bindings = Bindings {
    title: text::BUILDS_TITLE,
    list: &[
        shown(keys::ENTER, Action::Plugin(PluginAction::Differences)),
        shown(&[Key::char('r')], Action::Plugin(PluginAction::PutBack)),
        shown(keys::BACK, Action::Plugin(PluginAction::Close)),
        hidden(keys::UP, Action::Up),
        hidden(keys::DOWN, Action::Down),
        hidden(keys::FIRST, Action::First),
        hidden(keys::LAST, Action::Last),
    ],
};

/// Keys while the differences of two builds are looked at.
pub const DIFFERENCES: Bindings = Bindings {
    title: text::DIFFERENCES,
    list: &[
        shown(keys::ENTER, Action::Plugin(PluginAction::OpenDiffering)),
        shown(keys::BACK, Action::Plugin(PluginAction::Close)),
        hidden(keys::UP, Action::Up),
        hidden(keys::DOWN, Action::Down),
        hidden(keys::FIRST, Action::First),
        hidden(keys::LAST, Action::Last),
    ],
};

/// Slots in the order of the pipeline; trainers are in none.
const SLOTS: [&str; 5] = ["segment", "detect", "measure", "grade", "train"];

/// One plug-in as a row: found, in the pipeline, or (for a moment, while a swap goes on) only one of both.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub found: Option<&'a PluginFound>,
    pub status: Option<&'a PluginStatus>,
}

impl<'a> Row<'a> {
    pub fn id(&self) -> Option<&'a PluginId> {
        self.found.map(|found| &found.card.id).or_else(|| self.status.map(|status| &status.id))
    }

    pub fn slot(&self) -> &'a str {
        self.found.map_or_else(|| self.status.map_or("", |it| it.slot.as_str()), |found| found.card.slot.as_str())
    }

    /// In the pipeline by `ferrule.toml`; by what is in force where that is not known yet.
    pub fn is_in(&self) -> bool {
        self.found.map_or(self.status.is_some(), |found| found.place.is_some())
    }
}

/// What the Plug-ins screen holds.
#[derive(Debug, Default)]
pub struct Plugins {
    cursor: usize,
    list: Option<PluginList>,
    asked: bool,
    form: Option<ParameterForm>,
    /// Past swaps, the newest first, while they are looked at.
    swaps: Option<Vec<Swap>>,
    swaps_wanted: bool,
    builds: Option<Builds>,
    builds_wanted: bool,
    tickets: u64,
}

impl Plugins {
    /// The list may be another one now.
    pub fn outdated(&mut self) {
        self.asked = false;
        self.swaps_wanted = self.swaps.is_some();
        self.builds_wanted = self.builds.is_some();
    }

    /// Whether the engine is to be asked what there is.
    pub fn wants_list(&mut self) -> bool {
        !std::mem::replace(&mut self.asked, true)
    }

    pub fn take(&mut self, list: PluginList) {
        self.list = Some(list);
    }

    pub fn show_swaps(&mut self) {
        self.swaps_wanted = self.swaps.is_none();
        self.swaps = if self.swaps.is_some() { None } else { Some(Vec::new()) };
    }

    /// Whether past swaps are to be read.
    pub fn wants_swaps(&mut self) -> bool {
        std::mem::take(&mut self.swaps_wanted)
    }

    pub fn take_swaps(&mut self, swaps: Vec<Swap>) {
        self.swaps = self.swaps.is_some().then_some(swaps);
    }

    /// Opens the builds of the plug-in under the cursor.
    pub fn open_builds(&mut self, status: Option<&Status>) {
        let now =
            |row: &Row<'_>| row.status.map(|it| it.build.clone()).or_else(|| row.found.map(|it| it.build.clone()));
        let open = self.selected(status).and_then(|row| Some(Builds::new(row.id()?.clone(), now(&row))));
        (self.builds_wanted, self.builds) = (open.is_some(), open);
    }

    pub fn builds(&self) -> Option<&Builds> {
        self.builds.as_ref()
    }

    pub fn builds_mut(&mut self) -> Option<&mut Builds> {
        self.builds.as_mut()
    }

    /// Out of the differences, then out of the builds. The comparison that was still going on, if one was.
    pub fn close_builds(&mut self) -> Option<(u64, PluginId)> {
        let builds = self.builds.as_mut()?;
        if builds.comparing().is_none() {
            self.builds = None;
            return None;
        }
        let plugin = builds.plugin.clone();
        builds.leave_comparison().map(|number| (number, plugin))
    }

    /// Ends the comparison of that number, if it still goes on.
    pub fn end_comparison(&self, number: u64) {
        if let Some(builds) = self.builds.as_ref().filter(|builds| builds.comparing() == Some(number)) {
            builds.end_comparison();
        }
    }

    /// The plug-in whose builds are to be read.
    pub fn wants_builds(&mut self) -> Option<PluginId> {
        let wanted = std::mem::take(&mut self.builds_wanted);
        self.builds.as_ref().filter(|_| wanted).map(|builds| builds.plugin.clone())
    }

    /// All rows: slot by slot, those in the pipeline in their order, then the others.
    pub fn rows<'a>(&'a self, status: Option<&'a Status>) -> Vec<Row<'a>> {
        let in_force = status.map_or(&[][..], |status| status.plugins.as_slice());
        let found = self.list.as_ref().map_or(&[][..], |list| list.plugins.as_slice());
        let health = |id: &PluginId| in_force.iter().find(|status| status.id == *id);
        let mut rows = Vec::new();
        for slot in SLOTS {
            let mut of_slot: Vec<&PluginFound> =
                found.iter().filter(|found| found.card.slot.as_str() == slot).collect();
            of_slot.sort_by_key(|found| (found.place.is_none(), found.place, found.card.id.clone()));
            rows.extend(of_slot.into_iter().map(|found| Row { found: Some(found), status: health(&found.card.id) }));
            let only_in_force = in_force
                .iter()
                .filter(|status| status.slot == slot && !found.iter().any(|found| found.card.id == status.id));
            rows.extend(only_in_force.map(|status| Row { found: None, status: Some(status) }));
        }
        rows
    }

    pub fn step(&mut self, by: isize, count: usize) {
        if let Some(builds) = &mut self.builds {
            return builds.step(by);
        }
        self.cursor = self.cursor.saturating_add_signed(by).min(count.saturating_sub(1));
    }

    /// The plug-in under the cursor.
    pub fn selected<'a>(&'a self, status: Option<&'a Status>) -> Option<Row<'a>> {
        let rows = self.rows(status);
        rows.get(self.cursor.min(rows.len().saturating_sub(1))).copied()
    }

    /// The plug-in under the cursor, if it is in quarantine.
    pub fn to_release(&self, status: &Status) -> Option<PluginId> {
        let status = self.selected(Some(status))?.status?;
        status.quarantined.then(|| status.id.clone())
    }

    /// Into the pipeline, or out of it.
    pub fn switch(&self, status: Option<&Status>) -> Option<Change> {
        let row = self.selected(status)?;
        let plugin = row.id()?.clone();
        Some(if row.is_in() { Change::Disable { plugin } } else { Change::Enable { plugin, at: None } })
    }

    /// One place earlier or later in its slot; nothing where it is at that end.
    pub fn shifted(&mut self, status: Option<&Status>, later: bool) -> Option<Change> {
        let row = self.selected(status)?;
        let plugin = row.id()?.clone();
        let others = self.rows(status);
        let order: Vec<&PluginId> =
            others.iter().filter(|it| it.slot() == row.slot() && it.is_in()).filter_map(Row::id).collect();
        let place = order.iter().position(|id| **id == plugin)?;
        let at = if later {
            order.get(place + 1)?;
            order.get(place + 2).map_or(Position::Last, |id| Position::Before((*id).clone()))
        } else {
            Position::Before((*order.get(place.checked_sub(1)?)?).clone())
        };
        // The cursor stays on it.
        self.cursor = if later { self.cursor + 1 } else { self.cursor.saturating_sub(1) };
        Some(Change::Enable { plugin, at: Some(at) })
    }

    /// Opens the parameters of the plug-in under the cursor; whether it has any.
    pub fn open_form(&mut self, status: Option<&Status>) -> bool {
        let found = self.selected(status).and_then(|row| row.found).cloned();
        self.form = found.filter(|found| !found.card.parameters.is_empty()).map(|found| ParameterForm::new(&found));
        self.form.is_some()
    }

    pub fn form(&mut self) -> Option<&mut ParameterForm> {
        self.form.as_mut()
    }

    pub fn open(&self) -> Option<&ParameterForm> {
        self.form.as_ref()
    }

    pub fn close_form(&mut self) {
        self.form = None;
    }

    /// The next ticket, for a trial or a comparison.
    pub fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }
}
