//! Everything long: what goes on, how far it is, and how it ended. The list only remembers; each task belongs to the engine
//! or to a thread, and goes on whoever looks.

use std::collections::VecDeque;

use ferrule_core::ids::PluginId;
use ratatui::text::{Line, Span};

use super::{dataset::Format, plain::fit, screens::chosen, text, theme::Theme};

/// Tasks remembered; older ones are in the log.
const MOST: usize = 50;

/// Whose it is, and so how it is cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOf {
    Training(String),
    /// Workers load a pipeline of that generation.
    Swap(u64),
    /// What two builds of a plug-in said, by number.
    Comparison(u64, PluginId),
    /// The page of a job.
    HandOver(String),
    /// A reference of clean end faces, by number.
    Reference(u64),
    /// A list of captures as a file, by number.
    List(u64),
    /// Of the dataset, by number.
    Export(u64, Format),
}

/// How it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskState {
    /// Share done, where that is known, and words.
    Running(Option<f64>, String),
    Ended {
        good: bool,
        words: String,
    },
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub of: TaskOf,
    /// Time of day when it was first heard of.
    pub at: String,
    pub state: TaskState,
}

/// The tasks, the newest first, and the one under the cursor.
#[derive(Debug, Default)]
pub struct Tasks {
    list: VecDeque<Task>,
    cursor: usize,
}

impl Tasks {
    /// A task stands so; one that was not known is new.
    pub fn stands(&mut self, of: TaskOf, at: &str, state: TaskState) {
        if let Some(known) = self.list.iter_mut().find(|task| task.of == of && is_running(&task.state)) {
            known.state = state;
            return;
        }
        // The end of something that was never heard of is an old story.
        if matches!(state, TaskState::Ended { .. }) && self.list.iter().any(|task| task.of == of) {
            return;
        }
        self.list.push_front(Task { of, at: at.to_owned(), state });
        self.list.truncate(MOST);
    }

    /// No training runs any more, and how the last one ended was not told.
    pub fn end_trainings(&mut self) {
        let trainings = self.list.iter_mut().filter(|task| matches!(task.of, TaskOf::Training(_)));
        for task in trainings.filter(|task| is_running(&task.state)) {
            task.state = TaskState::Ended { good: true, words: text::ENDED.to_owned() };
        }
    }

    pub fn running(&self) -> usize {
        self.list.iter().filter(|task| is_running(&task.state)).count()
    }

    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.list.len().saturating_sub(1));
    }

    /// The task under the cursor, while it runs.
    pub fn selected(&self) -> Option<&TaskOf> {
        self.list.get(self.cursor).filter(|task| is_running(&task.state)).map(|task| &task.of)
    }

    /// A line each, those that fit.
    pub fn lines(&self, width: usize, rows: usize, theme: &Theme) -> Vec<Line<'static>> {
        if self.list.is_empty() {
            return vec![Line::styled(text::NO_TASKS, theme.dim())];
        }
        let top = (self.cursor + 1).saturating_sub(rows.max(1));
        let shown = self.list.iter().enumerate().skip(top).take(rows);
        shown
            .map(|(place, task)| {
                let (style, sign, words) = match &task.state {
                    TaskState::Running(share, words) => {
                        let share = share.map_or_else(String::new, |share| format!("{:.0} %  ", share * 100.0));
                        (theme.key(), theme.signs.cursor, format!("{share}{words}"))
                    }
                    TaskState::Ended { good: true, words } => (theme.good(), theme.signs.pass, words.clone()),
                    TaskState::Ended { good: false, words } => (theme.bad(), theme.signs.fail, words.clone()),
                };
                let what = text::task(&task.of);
                let room = width.saturating_sub(task.at.len() + 36);
                let line = Line::from(vec![
                    Span::styled(format!("{} ", task.at), theme.dim()),
                    Span::styled(format!("{sign} "), style),
                    Span::raw(format!("{} ", fit(&what, 30, theme.signs.ellipsis))),
                    Span::styled(fit(&words, room, theme.signs.ellipsis), style),
                ]);
                if place == self.cursor { chosen(line, theme) } else { line }
            })
            .collect()
    }
}

fn is_running(state: &TaskState) -> bool {
    matches!(state, TaskState::Running(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_one_line_from_its_beginning_to_its_end_and_the_list_is_bounded() {
        let mut tasks = Tasks::default();
        let of = |number| TaskOf::Swap(number);
        for number in 0..200 {
            tasks.stands(of(number), "12:00", TaskState::Running(None, String::new()));
            tasks.stands(of(number), "12:01", TaskState::Ended { good: true, words: "in force".into() });
            tasks.stands(of(number), "12:02", TaskState::Ended { good: true, words: "in force".into() });
        }
        assert_eq!((tasks.list.len(), tasks.running(), tasks.selected()), (MOST, 0, None));
        tasks.stands(of(200), "12:03", TaskState::Running(Some(0.5), "half".into()));
        assert_eq!((tasks.running(), tasks.selected()), (1, Some(&of(200))));
    }
}
