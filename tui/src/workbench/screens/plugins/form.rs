//! A plug-in's parameters as a form, and what they would find on the picture in hand.

use std::{collections::BTreeMap, sync::Arc};

use ferrule_core::{
    change::Change, ids::PluginId, protocol::PluginFound, report::Inspection, worker::messages::ParameterValue,
};

use crate::workbench::{
    form::{Field, Form},
    rows::Detail,
    trial::Trial,
};

/// The form of one plug-in.
#[derive(Debug)]
pub struct ParameterForm {
    pub plugin: PluginId,
    pub title: String,
    pub form: Form,
    /// What `ferrule.toml` set when the form was opened.
    set: BTreeMap<String, ParameterValue>,
    /// What was tried last, with its ticket.
    tried: Option<(u64, BTreeMap<String, ParameterValue>)>,
    /// The picture with what the typed parameters find on it, or why that is not known.
    pub outcome: Option<Result<Arc<Detail>, String>>,
    /// The answer to the last trial has not come.
    pub waits: bool,
    /// The picture that trials are on.
    pub subject: Option<Arc<Detail>>,
}

impl ParameterForm {
    pub fn new(found: &PluginFound) -> Self {
        let field = |card: &ferrule_core::host::card::ParameterCard| {
            Field::new(card.clone(), found.set.get(&card.name).unwrap_or(&card.default))
        };
        Self {
            plugin: found.card.id.clone(),
            title: found.card.name(),
            form: Form::new(found.card.parameters.iter().map(field).collect()),
            set: found.set.clone(),
            tried: None,
            outcome: None,
            waits: false,
            subject: None,
        }
    }

    /// What differs from the plug-in's own defaults.
    fn given(&self) -> BTreeMap<String, ParameterValue> {
        let defaults = self.form.defaults();
        self.form.readable().into_iter().filter(|(name, value)| defaults.get(name) != Some(value)).collect()
    }

    /// The edit that makes `ferrule.toml` say what is typed; `None` where it does already.
    ///
    /// # Errors
    /// The first field that cannot be read.
    pub fn change(&mut self) -> Result<Option<Change>, String> {
        self.form.values()?;
        let given = self.given();
        let set: BTreeMap<_, _> = given
            .iter()
            .filter(|(name, value)| self.set.get(*name) != Some(value))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        let reset: Vec<String> = self.set.keys().filter(|name| !given.contains_key(*name)).cloned().collect();
        if set.is_empty() && reset.is_empty() {
            return Ok(None);
        }
        Ok(Some(Change::Parameters { plugin: self.plugin.clone(), set, reset }))
    }

    /// The trial to make now, unless it was made or something is wrong.
    pub fn wanted(&mut self, subject: Option<&Arc<Detail>>, ticket: impl FnOnce() -> u64) -> Option<Trial> {
        let subject = subject.filter(|subject| subject.inspection.is_some())?;
        if self.form.error().is_some() {
            return None;
        }
        let given = self.given();
        let same = self.subject.as_ref().is_some_and(|known| known.row.capture == subject.row.capture);
        if same && self.tried.as_ref().is_some_and(|(_, tried)| *tried == given) {
            return None;
        }
        let (ticket, fresh) = (ticket(), self.tried.is_none());
        self.tried = Some((ticket, given.clone()));
        (self.subject, self.waits) = (Some(Arc::clone(subject)), true);
        Some(Trial { ticket, fresh, plugin: self.plugin.clone(), set: given, pictures: subject.pictures.clone() })
    }

    /// What a trial came to, unless another has been made since.
    pub fn take(&mut self, ticket: u64, result: Result<Box<Inspection>, String>) {
        if self.tried.as_ref().is_none_or(|(asked, _)| *asked != ticket) {
            return;
        }
        self.waits = false;
        let Some(subject) = &self.subject else { return };
        self.outcome =
            Some(result.map(|inspection| Arc::new(Detail { inspection: Some(*inspection), ..Detail::clone(subject) })));
    }

    /// The picture to show: with what is typed, else as it is stored.
    pub fn shown(&self) -> Option<&Arc<Detail>> {
        match &self.outcome {
            Some(Ok(detail)) => Some(detail),
            _ => self.subject.as_ref(),
        }
    }
}
