//! Every English text of the workbench, in one place.

use std::path::Path;

use ferrule_core::{
    alarm::Alarm, control::Subgroup, filter::Order, ids::PluginId, report::DefectKind, store::ReviewQueue, swap::short,
};

use super::{
    app::Confirm,
    dataset::Format,
    keys::{Action, JobAction, PluginAction, TrainAction},
    picture::{Layers, View, finders},
    rows::Detail,
    screens::ScreenName,
    tasks::TaskOf,
};

pub const PROGRAM: &str = "ferrule";
pub const EVERYWHERE: &str = "Everywhere";
pub const HELP_TITLE: &str = "Help";
pub const QUIT_TITLE: &str = "Quit";
pub const CONFIRM_TITLE: &str = "Are you sure?";
pub const PALETTE_TITLE: &str = "Commands";
pub const TASKS_TITLE: &str = "Tasks";
pub const ALARMS_TITLE: &str = "Alarms";
pub const NO_ALARMS: &str = "Nothing rings. Rules are [[alarm]] of ferrule.toml.";
pub const ACKNOWLEDGED: &str = "Acknowledged.";
/// Who acknowledges where no name is known.
pub const SOMEBODY: &str = "somebody";
pub const SWAP_TRYING: &str = "workers load it";
pub const NO_COMMAND: &str = "Nothing here is called so.";
pub const ENDED: &str = "ended";
pub const NO_TASKS: &str = "Nothing long has been begun since this screen was opened.";
pub const NOT_CANCELLED: &str = "This task ends by itself.";
pub const MOUSE_ON: &str = "The mouse works here; the terminal selects text with Shift held.";
pub const MOUSE_OFF: &str = "The mouse is the terminal's again.";
pub const PARAMETERS_TITLE: &str = "Parameters";
pub const SWAPS: &str = "Swaps, the newest first";
pub const SWAPS_BACK: &str = "s goes back";
pub const NO_SWAPS: &str = "Nothing has been swapped yet.";
pub const BUILDS_TITLE: &str = "Builds";
pub const BUILDS_NEWEST: &str = "* in force; the newest first";
pub const NO_BUILDS: &str = "No build of it has been in a pipeline of this workspace.";
pub const IN_FORCE: &str = "in force";
pub const NEVER_IN_FORCE: &str = "never";
pub const ALREADY_IN_FORCE: &str = "This build is in force.";
pub const ONE_BUILD: &str = "There is no other build of it to compare with.";
pub const DIFFERENCES: &str = "Differences";
pub const NO_DIFFERENCES: &str = "Both say the same of every capture.";
pub const NOTHING_COMPARED: &str = "No capture was inspected by both: mark some in Captures and inspect them again.";
pub const ALL_THE_SAME: &str = "all the same";
pub const READING: &str = "reading";
pub const NOTHING_CHANGED: &str = "nothing changed";
pub const NO_PARAMETERS: &str = "This plug-in has no parameters.";
pub const RELEASE_HELP: &str = "u takes it back into the pipeline and queues what is incomplete because of it.";
pub const FORM_APPLY: &str = "Enter applies";
pub const TRIAL: &str = "Tried on";
pub const TRIAL_WAITS: &str = "trying";
pub const TRIAL_EFFECT: &str = "Effect";
pub const TRIAL_STORED: &str = "stored";
pub const TRIAL_TYPED: &str = "typed";
pub const NO_TRIAL: &str = "No capture to try it on yet: the one on the Live screen is taken.";
pub const WELCOME_TITLE: &str = "first start";
pub const WELCOME_CHOICES: [(&str, &str); 3] = [
    ("Make a workspace here", "and watch the folder that a microscope writes into"),
    ("Look around first", "a workspace here, with simulated captures that come in one by one"),
    ("Leave", "nothing is made; `ferrule inspect FILE` needs no workspace"),
];
pub const WELCOME_FOLDER: &str = "Which folder does the microscope write into? Nothing in it is ever changed or deleted. A \
                                  name without / is a folder of the workspace; `captures` is made if it is not there.";
pub const JOBS: &str = "Jobs, the newest first";
pub const JOB: &str = "Job";
pub const NO_JOBS: &str =
    "No jobs: a source's name_pattern with the groups job, port and side finds them in file names.";
pub const NO_BEFORE: &str = "There is one capture of this end only.";
pub const EXPORTS: &str = "Exports";
pub const TOGETHER: &str = "Stay together";
pub const NEAR: &str = "near-duplicates";
pub const NO_GROUPS: &str =
    "No pictures have to stay together: no near-duplicates, and no groups by name (dataset.group_by).";
pub const NOT_DIVIDED: &str = "Nothing has been divided yet: an engine does it when it is idle.";
pub const NO_FIBRE: &str = "no fibre";
pub const INCOMPLETE: &str = "incomplete";
pub const NO_LABEL: &str = "no label";
pub const NOT_YET: &str = "not yet given one";
pub const ON_NO_SIDE: &str = "on no side";
pub const NO_EXPORT: &str = "This export does not run.";
pub const EXPORT_RUNS: &str = "This export runs already.";
pub const NOTE_TITLE: &str = "About a run";
pub const SEARCH_TITLE: &str = "Filter";
pub const MENU_TITLE: &str = "List";
pub const COLUMNS_TITLE: &str = "Columns";
pub const VIEWS_TITLE: &str = "Views";
pub const PROMPT_KEYS: &str = "Enter take  Tab complete  Esc cancel ";
pub const VIEW_NAME: &str = "save as: ";
pub const FILTER_EXAMPLE: &str = "label:defect zone:core type:scratch conf>0.8 -file:*FT3* since:2h   Tab: fields";

pub const NO_PICTURE: &str = "The picture cannot be shown.";
pub const LOADING_PICTURE: &str = "loading the picture";
pub const NO_CAPTURES_YET: &str = "No captures yet. Pictures put into a watched folder appear here by themselves.";
pub const NO_MATCH: &str = "No capture matches.";
pub const LOADING: &str = "reading";
pub const DRAWING_TITLE: &str = "Box";
pub const KINDS_TITLE: &str = "Type";
pub const REVIEWER: &str = "reviewer: ";
pub const REVIEWER_HINT: &str = "your name, kept for the next time";
pub const REVIEWER_NEEDED: &str = "Every decision has a name. N asks for yours.";
pub const NOTHING_TO_REVIEW: &str = "Nothing is left to review here. f takes another queue.";
pub const COPIED: &str = "The path is copied, where the terminal lets it (OSC 52).";
pub const NOT_INSPECTED: &str = "There is no result.";
pub const KIND_OF_BOX: &str = "What is in the box?";
pub const KIND_OF_DEFECT: &str = "What is it?";
pub const NONE_FAILED: &str = "None of the marked captures has failed; only failed ones are tried again.";
pub const NO_PLUGINS: &str = "No pipeline is in force.";
pub const NO_LOG: &str = "Nothing was logged since this screen was opened.";
pub const NO_STATUS: &str = "Waiting for the engine.";

pub const ENGINE_CONNECTING: &str = "connecting";
/// What states of the engine begin with, left out where there is no room.
pub const ENGINE_PREFIX: &str = "engine ";
pub const ENGINE_RUNNING: &str = "engine running";
pub const ENGINE_PAUSED: &str = "engine paused";
pub const ENGINE_STOPPING: &str = "engine stopping";
pub const ENGINE_GONE: &str = "gone, reconnecting";
pub const ENGINE_STARTING: &str = "starting the engine";
pub const NO_ENGINE: &str = "No engine runs. E starts it.";

pub const QUIT_QUESTION: &str = "The engine inspects captures also when this screen is closed.";
pub const QUIT_STOPPING: &str = "The engine finishes what is in hand, then stops.";

pub const LIVE_PICTURE: &str = "Capture";
pub const LIVE_FACTS: &str = "Result";
pub const LIVE_RECENT: &str = "Last captures";
pub const LIVE_ENGINE: &str = "Engine";
pub const LIVE_FROZEN: &str = "frozen, Home: newest";
pub const CHART_SHARES: &str = "Share of defects";
pub const CHART_TOO_FEW: &str = "A point takes twenty captures.";
pub const CHART_DRIFT: &str = "Drift: median, the last twenty";
pub const CHART_LEVELS: &str = "Gray levels of this capture, 0 to white";
pub const DRIFT_RADIUS: &str = "cladding r";
pub const DRIFT_FOCUS: &str = "focus";
pub const DRIFT_BRIGHTNESS: &str = "brightness";

pub const TRAINING_NOW: &str = "Training";
pub const TRAINING_PAST: &str = "Runs";
pub const TRAINING_NEW: &str = "New training";
pub const TRAINING_DATA: &str = "Learns from";
pub const TRAINING_WORST: &str = "Worst samples of the validation";
pub const TRAINING_COMPARE: &str = "Side by side";
pub const TRAINING_RUNS: &str = "goes on";
pub const TRAINING_BEGINS: &str = "begins";
pub const TRAINING_PAUSED: &str = "paused: p goes on";
pub const TRAINING_PAUSING: &str = "pausing";
pub const TRAINING_LAST_EPOCH: &str = "stops after this epoch";
pub const TRAINING_STOPPING: &str = "stopping";
pub const NOTHING_TRAINED: &str = "Nothing is being trained. n begins a training.";
pub const NO_RUNS: &str = "Nothing has been trained here yet. n begins a training.";
pub const NO_EPOCHS: &str = "No epoch is over yet.";
pub const NO_WORST: &str = "No epoch has told its samples yet.";
pub const NO_FEED: &str = "no longer kept";
pub const NO_TEST: &str = "No test split: figures are of val alone.";
pub const CONFUSION: &str = "Truth down, said across";
pub const FORM_RIGHT: &str = "Enter begins";
pub const FORM_WRONG: &str = "not yet";

pub const CHANGED: &str = "ferrule.toml is changed; the engine takes it up.";
pub const UNCHANGED: &str = "ferrule.toml says that already.";

pub const DUMB: &str = "This terminal (TERM=dumb) cannot show the workbench. `ferrule status` and `ferrule watch` work \
                        here; otherwise set TERM to what the terminal is, for example xterm-256color.";
pub const NO_TERMINAL: &str = "The workbench needs a terminal on input and output. `ferrule status --json` and `ferrule \
                               events --json` work without one.";

/// Shown where the terminal is too small.
pub fn too_small(width: u16, height: u16, (need_width, need_height): (u16, u16)) -> Vec<String> {
    vec![
        "This terminal is too small.".to_owned(),
        format!("It has {width}x{height};"),
        format!("{need_width}x{need_height} are needed."),
    ]
}

/// A screen's name in the title line.
pub const fn screen(name: ScreenName) -> &'static str {
    match name {
        ScreenName::Live => "Live",
        ScreenName::Captures => "Captures",
        ScreenName::Review => "Review",
        ScreenName::Plugins => "Plug-ins",
        ScreenName::Training => "Training",
        ScreenName::Dataset => "Dataset",
        ScreenName::Log => "Log",
    }
}

/// What of the picture is shown, and what lies over it.
pub fn view(view: View, layers: Layers, detail: Option<&Detail>) -> String {
    let part = match view {
        View::Whole => "whole picture".to_owned(),
        View::Fibre => "fibre".to_owned(),
        View::Part(part) => format!("{:.1}x", part.scale()),
    };
    let over = match layers {
        Layers::All => return part,
        Layers::Zones => "zones".to_owned(),
        Layers::Of(place) => detail
            .and_then(|detail| finders(detail).into_iter().nth(usize::from(place)))
            .unwrap_or_else(|| "nothing".to_owned()),
        Layers::None => "bare".to_owned(),
    };
    format!("{part}, {over}")
}

/// An action's word in the bottom line and its sentence in the help.
pub fn action(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Go(ScreenName::Live) => ("live", "the capture just inspected"),
        Action::Go(ScreenName::Captures) => ("captures", "all captures, one a row"),
        Action::Go(ScreenName::Review) => ("review", "one capture after the other, one key a decision"),
        Action::Go(ScreenName::Plugins) => ("plug-ins", "the pipeline in force"),
        Action::Go(ScreenName::Training) => ("training", "networks: train, compare, put to work"),
        Action::Go(ScreenName::Dataset) => ("dataset", "sides, what stays together, exports"),
        Action::Go(ScreenName::Log) => ("log", "what the engine says"),
        Action::NextScreen => ("next", "next screen"),
        Action::PreviousScreen => ("previous", "previous screen"),
        Action::Help => ("help", "the keys that work here"),
        Action::Palette => ("commands", "find what can be done here by its letters"),
        Action::Run => ("do it", "do what is chosen"),
        Action::Tasks => ("tasks", "everything long: how far it is, how it ended"),
        Action::CancelTask => ("cancel", "cancel this task"),
        Action::Alarms => ("alarms", "what rang and still stands; acknowledge it"),
        Action::Acknowledge => ("acknowledge", "you have seen this alarm"),
        Action::AcknowledgeAll => ("all", "you have seen all of them"),
        Action::Mouse => ("mouse", "give the mouse to this screen or to the terminal"),
        Action::Quit => ("quit", "leave, or stop the engine"),
        Action::Suspend => ("suspend", "back to the shell; fg returns"),
        Action::Repaint => ("repaint", "draw the whole screen again"),
        Action::StartEngine => ("start engine", "start the engine when none runs"),
        Action::Pause => ("pause", "pause or go on taking captures from the queue"),
        Action::Rescan => ("rescan", "look into every watched folder now"),
        Action::Up => ("up", "one up"),
        Action::Down => ("down", "one down"),
        Action::PageUp => ("page up", "a screen up"),
        Action::PageDown => ("page down", "a screen down"),
        Action::First => ("first", "the first, and follow what is new"),
        Action::Last => ("last", "the last"),
        Action::Open => ("open", "the capture, its defects and all figures"),
        Action::Back => ("back", "back"),
        Action::FilterState => ("state", "show one state only; again for the next"),
        Action::FilterLabel => ("label", "show one label only; again for the next"),
        Action::Search => ("filter", "only what a filter says (docs/filters.md)"),
        Action::ClearFilter => ("all", "show all captures again"),
        Action::Sort => ("sort", "by the next column"),
        Action::SortReverse => ("reverse", "the order from its other end"),
        Action::Mark => ("mark", "mark this capture, or unmark it"),
        Action::MarkAll => ("mark all", "mark every capture of this list"),
        Action::MarkInvert => ("invert", "mark those of this list that have no mark"),
        Action::MarkNone => ("unmark", "take all marks away"),
        Action::SayDefect => ("defect", "this image has a defect; the next one"),
        Action::SayClean => ("clean", "this image has none; the next one"),
        Action::Skip => ("next", "the next one, without a decision"),
        Action::SkipBack => ("back", "the one before"),
        Action::AcceptDefect => ("accept", "this is a defect, of the type that is shown"),
        Action::RejectDefect => ("reject", "this is no defect"),
        Action::ChangeKind => ("type", "it is a defect of another type"),
        Action::Kind(index) => (kind(index), "this type"),
        Action::DrawBox => ("box", "draw a box around a defect that was not found"),
        Action::Corner => ("corner", "a corner of the box; the second one finishes it"),
        Action::BoxLeft => ("(arrows) move", "the corner to the left"),
        Action::BoxRight => ("right", "the corner to the right"),
        Action::BoxUp => ("up", "the corner up"),
        Action::BoxDown => ("down", "the corner down"),
        Action::BoxFineLeft => ("(h j k l) a little", "a little to the left"),
        Action::BoxFineRight => ("fine", "a little to the right"),
        Action::BoxFineUp => ("fine", "a little up"),
        Action::BoxFineDown => ("fine", "a little down"),
        Action::CancelBox => ("cancel", "no box, no type"),
        Action::Undo => ("undo", "take the last decision back"),
        Action::Redo => ("redo", "make the decision again that was taken back"),
        Action::NextQueue => ("queue", "another queue: all, unsure ones first, ..."),
        Action::NameReviewer => ("name", "who reviews"),
        Action::Views => ("views", "lists by name"),
        Action::SaveView => ("save view", "keep filter, order and columns by a name"),
        Action::Columns => ("columns", "choose the columns"),
        Action::Choose => ("choose", "take this one"),
        Action::CloseMenu => ("close", "close this list"),
        Action::ForgetView => ("delete", "delete this saved view"),
        Action::Complete => ("complete", "complete the word; again for the next"),
        Action::Retry => ("retry", "queue this failed capture, or those marked, again"),
        Action::RetryAll => ("retry all", "queue every failed capture again"),
        Action::Reinspect => ("inspect again", "inspect this picture, or those marked, again"),
        Action::NextCapture => ("older", "the next older capture"),
        Action::PreviousCapture => ("newer", "the next newer capture"),
        Action::Zoom => ("zoom", "the whole picture or the fibre"),
        Action::Closer => ("closer", "a part of the picture, a step closer"),
        Action::Farther => ("farther", "a step back"),
        Action::PanLeft => ("left", "what is to the left"),
        Action::PanRight => ("right", "what is to the right"),
        Action::PanUp => ("up", "what is above"),
        Action::PanDown => ("down", "what is below"),
        Action::Freeze => ("freeze", "stay at this capture, or go on with the newest"),
        Action::Charts => ("charts", "share of defects, drift, gray levels; or the list and the engine"),
        Action::Layers => ("layers", "all, zones, one plug-in's defects, or bare"),
        Action::CopyPath => ("copy path", "the file's path into the terminal's clipboard"),
        Action::Export => ("export", "write the dataset in this format"),
        Action::CancelExport => ("cancel", "end this export; nothing unfinished is left"),
        Action::Reread => ("again", "read the dataset again"),
        Action::Train(action) => train_action(action),
        Action::Plugin(action) => plugin_action(action),
        Action::Job(action) => job_action(action),
        Action::Release => ("release", "take this plug-in out of quarantine"),
        Action::Level => ("level", "least level that is shown"),
        Action::Follow => ("follow", "stay at the newest line"),
        Action::SearchAccept => ("take", "take what is typed"),
        Action::SearchCancel => ("cancel", "leave everything as it was"),
        Action::LeaveRunning => ("leave it running", "close this screen; the engine goes on"),
        Action::StopEngine => ("stop the engine", "stop the engine after what is in hand, then leave"),
        Action::Confirm => ("yes", "do it"),
        Action::Cancel => ("stay", "leave it as it is"),
    }
}

const fn job_action(action: JobAction) -> (&'static str, &'static str) {
    match action {
        JobAction::Show => ("jobs", "captures by job, port and side: what can be handed over"),
        JobAction::Open => ("open", "its ends, or the capture that decides"),
        JobAction::Before => ("before", "the capture of this end before the one that decides"),
        JobAction::HandOver => ("hand over", "write a page and a table of this job"),
        JobAction::Back => ("back", "to the jobs, or to the captures"),
    }
}

const fn plugin_action(action: PluginAction) -> (&'static str, &'static str) {
    match action {
        PluginAction::Open => ("parameters", "its parameters, tried on the capture of Live"),
        PluginAction::Switch => ("in/out", "into the pipeline, or out of it"),
        PluginAction::Earlier => ("earlier", "one place earlier in its slot"),
        PluginAction::Later => ("later", "one place later in its slot"),
        PluginAction::Swaps => ("swaps", "what was swapped when, and how it ended"),
        PluginAction::Builds => ("builds", "its builds: when each was in force, one put back, two compared"),
        PluginAction::PutBack => ("put back", "put this build back into the place of the one in force"),
        PluginAction::Differences => {
            ("differences", "what it said otherwise than the one in force, of marked captures")
        }
        PluginAction::OpenDiffering => ("look", "open this capture"),
        PluginAction::Apply => ("apply", "write what is typed into ferrule.toml"),
        PluginAction::Close => ("close", "back; nothing is changed"),
        PluginAction::Default => ("default", "the plug-in's own value again"),
    }
}

const fn train_action(action: TrainAction) -> (&'static str, &'static str) {
    match action {
        TrainAction::New => ("new", "the form of a new training"),
        TrainAction::Submit => ("begin", "begin this training"),
        TrainAction::Close => ("close", "close the form; what was typed stays in it"),
        TrainAction::Default => ("default", "the field's own value again"),
        TrainAction::Pause => ("pause", "let the training wait, or go on"),
        TrainAction::StopAfterEpoch => ("end", "stop the training after this epoch"),
        TrainAction::StopNow => ("stop", "stop at once; the last whole epoch is kept"),
        TrainAction::Resume => ("resume", "go on with this run after its last whole epoch"),
        TrainAction::View => ("view", "curves, worst samples, or runs side by side"),
        TrainAction::Metric => ("figure", "curves of another figure"),
        TrainAction::Mark => ("mark", "lay this run's curves over others, and compare it"),
        TrainAction::Notes => ("notes", "say something of this run"),
        TrainAction::Tags => ("tags", "words to find this run by"),
        TrainAction::KeepNote => ("keep", "keep what is typed"),
        TrainAction::CancelNote => ("cancel", "leave it as it was"),
        TrainAction::Delete => ("delete", "remove this run's epochs and its folder"),
        TrainAction::Deploy => ("deploy", "put what this run made into the pipeline"),
    }
}

/// What a field of a new training means, where it is no setting of the trainer.
pub fn training_field(name: &str) -> &'static str {
    match name {
        "model" => "name of the model files below models/",
        "size" => "pixels a side of what the network sees",
        "crop" => "the whole frame, or the fibre with a margin around it",
        "margin" => "cladding radii from the fibre's middle to the edge",
        "levels" => "what stands out of its surroundings, or gray levels as they are",
        "labels" => "classes: clean and defective, or the kinds of defects",
        "model_labels" => "learn from labels that a model made, too",
        "truth" => "a COCO file with labels and masks, instead of the dataset's; empty for none",
        "weights" => "a .safetensors file to begin with; empty for none",
        _ => "",
    }
}

/// What is asked before something is done for good.
pub fn confirm(confirm: &Confirm) -> String {
    match confirm {
        Confirm::StopTraining => {
            "Stop the training now? What was learned since its last whole epoch is lost; r goes on from there."
                .to_owned()
        }
        Confirm::PutBack { plugin, build } => {
            format!("Put build {} of {plugin} back? It judges every capture that comes from then on.", short(build))
        }
        Confirm::DeleteRun(run) => {
            format!("Remove run {run} with its epochs, its journal and its checkpoints? Models that it made stay.")
        }
        Confirm::Deploy { model, task, .. } => {
            let plugin = if task == "defects" { "detect-torch" } else { "classify-torch" };
            format!(
                "Put model {model} to work? {plugin} comes into the pipeline, or takes it in place of the one it has."
            )
        }
    }
}

/// Why a run cannot be deployed.
pub fn no_model(run: &str) -> String {
    format!("Run {run} has made no model yet: a training makes one at its end.")
}

/// Why the first start asks.
pub fn no_workspace(folder: &str) -> String {
    format!("{folder} is no workspace yet: nothing is watched here, and nothing is kept.")
}

/// A format's name as the command has it, and what it is.
pub const fn format(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Csv => ("csv", "figures and defects as tables"),
        Format::Parquet => ("parquet", "every table of the database"),
        Format::Coco => ("coco", "outlines and classes, one file a side"),
        Format::Tfrecord => ("tfrecord", "pictures, masks and boxes for TensorFlow"),
        Format::Yolo => ("yolo", "pictures and boxes in folders"),
        Format::Report => ("report", "a page for people"),
    }
}

/// `1 picture`, `2 pictures`.
pub fn pictures(count: u64) -> String {
    if count == 1 { "1 picture".to_owned() } else { format!("{} pictures", number(count)) }
}

/// `1 group`, `2 groups`.
pub fn groups(count: usize) -> String {
    if count == 1 { "1 group".to_owned() } else { format!("{count} groups") }
}

/// `1 task`, `2 tasks`.
pub fn tasks(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

/// What does not make a point of the chart yet.
pub fn chart_forming(group: Subgroup) -> String {
    format!("next: {} of {}", group.defective, group.of)
}

/// Points beyond their limits, by the sign that marks them.
pub fn chart_out(count: usize, sign: &str) -> String {
    format!("{sign} {count} beyond the limits")
}

/// `1 job`, `2 jobs`.
pub fn jobs(count: usize) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

/// `1 alarm`, `2 alarms`.
pub fn alarms(count: usize) -> String {
    if count == 1 { "1 alarm".to_owned() } else { format!("{count} alarms") }
}

/// An alarm that stands, in one line.
pub fn alarm(alarm: &Alarm) -> String {
    let over = if alarm.over_at.is_some() { " (over)" } else { "" };
    format!("alarm {}{over}: {}", alarm.rule, alarm.message)
}

/// An alarm when it is raised.
pub fn alarm_raised(alarm: &Alarm) -> String {
    format!("Alarm {}: {}. A shows all.", alarm.rule, alarm.message)
}

/// Whether an alarm holds, and who has seen it.
pub fn alarm_stands(alarm: &Alarm) -> String {
    let holds = if alarm.over_at.is_some() { "over" } else { "holds" };
    match &alarm.seen_by {
        Some(by) => format!("{holds}, acknowledged by {by}"),
        None => format!("{holds}, not acknowledged"),
    }
}

/// A task in the list.
pub fn task(of: &TaskOf) -> String {
    match of {
        TaskOf::Training(run) => format!("train {run}"),
        TaskOf::Swap(generation) => format!("load generation {generation}"),
        TaskOf::HandOver(job) => format!("hand over {job}"),
        TaskOf::Export(_, format) => format!("export {}", self::format(*format).0),
    }
}

/// A screen's name where there is little room.
pub const fn short_screen(name: ScreenName) -> &'static str {
    match name {
        ScreenName::Live => "Live",
        ScreenName::Captures => "Capt",
        ScreenName::Review => "Rev",
        ScreenName::Plugins => "Plug",
        ScreenName::Training => "Train",
        ScreenName::Dataset => "Data",
        ScreenName::Log => "Log",
    }
}

/// `1 run`, `2 runs`.
pub fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{} runs", number(count as u64)) }
}

/// `1 capture`, `2 captures`.
pub fn captures(count: u64) -> String {
    if count == 1 { "1 capture".to_owned() } else { format!("{} captures", number(count)) }
}

/// A type's word by its place.
fn kind(index: u8) -> &'static str {
    DefectKind::ALL.get(usize::from(index)).map_or("", |kind| kind.as_str())
}

/// A queue's name.
pub const fn queue(queue: ReviewQueue) -> &'static str {
    match queue {
        ReviewQueue::All => "All, newest first",
        ReviewQueue::Unsure => "Unsure ones first",
        ReviewQueue::Disagreements => "Builds disagree",
        ReviewQueue::FalseAlarms => "Weakest alarms first",
        ReviewQueue::SecondLook => "Reviewed by others",
    }
}

/// How a list is sorted.
pub fn sorted_by(order: Order) -> String {
    format!("by {}{}", order.by.as_str(), if order.descending { ", highest first" } else { "" })
}

/// How many captures are marked.
pub fn marked(count: u64) -> String {
    format!("{} marked", number(count))
}

/// A count with thousands set apart.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub fn builds_of(plugin: &PluginId) -> String {
    format!("{BUILDS_TITLE} of {plugin}")
}

pub fn captures_differ(differing: u64, of: u64) -> String {
    format!("{differing} of {of} captures differ")
}

pub fn compared_newest(count: usize) -> String {
    format!("of the newest {count}; captures that are marked are compared instead")
}

pub fn put_back(path: &Path) -> String {
    format!("{} is back; the engine takes it up.", ferrule_core::names::display(path))
}
