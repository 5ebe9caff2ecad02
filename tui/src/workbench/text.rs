//! Every English text of the workbench, in one place.

use std::{io, path::Path, process::ExitStatus};

use ferrule_core::{
    alarm::Alarm,
    control::Subgroup,
    filter::Order,
    ids::PluginId,
    report::DefectKind,
    store::{Heat, ReviewQueue},
    swap::short,
};
use jiff::{Timestamp, tz::TimeZone};

mod action;
mod counts;

pub use self::{
    action::action,
    counts::{alarms, captures, groups, jobs, marked, number, pictures, runs, tasks},
};
use super::{
    app::Confirm,
    dataset::Format,
    picture::{Layers, View, finders},
    rows::{Before, Detail},
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
pub const CANCELLED: &str = "cancelled";
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
pub const REFERENCE_RUNS: &str = "A reference is being made; x among the tasks ends it.";
pub const MARK_CLEAN: &str = "Mark captures of clean end faces first: space marks one, * all that are listed.";
pub const EXPORT_RUNS: &str = "This export runs already.";
pub const NOTE_TITLE: &str = "About a run";
pub const SEARCH_TITLE: &str = "Filter";
pub const MENU_TITLE: &str = "List";
pub const COLUMNS_TITLE: &str = "Columns";
pub const VIEWS_TITLE: &str = "Views";
pub const PROMPT_KEYS: &str = "Enter take  Tab complete  Esc cancel ";
pub const NOTE_KEYS: &str = "Enter keep  Esc cancel ";
pub const NOTES: &str = "notes: ";
pub const TAGS: &str = "tags: ";
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
pub const PAIR_TITLE: &str = "Side by side";
pub const CAPTURE_GONE: &str = "This capture is no longer in the database.";
pub const SAID_BEFORE: &str = "Said before";
pub const NO_PAIRS: &str = "No near-duplicates have been found.";
pub const NO_PROGRAM: &str = "No program is configured: screen.open of ferrule.toml, for example [\"gimp\", \"{}\"].";
pub const NO_FILE: &str = "There is no file of this capture any more.";
pub const LIST_RUNS: &str = "A list is being written already; Ctrl-T shows it.";
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
pub fn view(view: View, layers: Layers, detail: Option<&Detail>, heat: Option<&Heat>) -> String {
    let part = match view {
        View::Whole => "whole picture".to_owned(),
        View::Fibre => "fibre".to_owned(),
        View::Part(part) => format!("{:.1}x", part.scale()),
    };
    match (view, layers) {
        (_, Layers::All) => part,
        (View::Whole, _) => layer(layers, detail, heat),
        _ => format!("{part}, {}", layer(layers, detail, heat)),
    }
}

/// A layer's name.
fn layer(layers: Layers, detail: Option<&Detail>, heat: Option<&Heat>) -> String {
    match layers {
        Layers::All => String::new(),
        Layers::Zones => "zones".to_owned(),
        Layers::Of(place) => detail
            .and_then(|detail| finders(detail).into_iter().nth(usize::from(place)))
            .unwrap_or_else(|| "nothing".to_owned()),
        Layers::Mask => "masks".to_owned(),
        Layers::Difference => "difference + - ~".to_owned(),
        Layers::Heat => {
            heat.map_or_else(|| READING.to_owned(), |heat| format!("defects of {}", captures(heat.captures)))
        }
        Layers::None => "bare".to_owned(),
    }
}

/// What was said before, and how it differs.
pub fn before(before: &Before, zone: &TimeZone) -> Vec<String> {
    let (former, pairing) = (&before.former, &before.pairing);
    let at = former
        .at
        .parse::<Timestamp>()
        .map_or_else(|_| String::new(), |at| at.to_zoned(zone.clone()).strftime(", %m-%d %H:%M").to_string());
    let judges: Vec<String> = former.differing.iter().map(|judge| short_judge(judge)).collect();
    let counts = match (pairing.new.len(), pairing.gone.len(), pairing.changed()) {
        (0, 0, 0) => "the same defects as now".to_owned(),
        (new, gone, changed) => format!("since then {new} new (+), {gone} gone (-), {changed} changed (~)"),
    };
    vec![format!("generation {}{at}: {}", former.generation, judges.join(", ")), counts]
}

/// `id version (build)` with as much of the build as tells it from others.
fn short_judge(judge: &str) -> String {
    match judge.split_once(" (") {
        Some((name, build)) => format!("{name} {}", build.chars().take(8).collect::<String>()),
        None => judge.to_owned(),
    }
}

/// How much two pictures differ.
pub fn nearly(residual: f64) -> String {
    format!("{:.0} % of its detail differ", residual * 100.0)
}

/// Where a picture was written.
pub fn saved(path: &str) -> String {
    format!("saved: {path}")
}

/// What is begun with a file.
pub fn opening(program: &str) -> String {
    format!("{program} is started.")
}

/// Why another program did not start.
pub fn not_started(program: &str, error: &io::Error) -> String {
    format!("{program}: {error}; screen.open of ferrule.toml names it")
}

/// How another program ended.
pub fn ended_badly(program: &str, status: &ExitStatus) -> String {
    format!("{program} ended with {status}")
}

/// Which end two captures show.
pub fn before_and_after(port: &str, side: &str) -> String {
    format!("port {port} {side}: before, and after")
}

/// What a field of a new training means, where it is no setting of the trainer.
pub fn training_field(name: &str) -> &'static str {
    match name {
        "model" => "name of the model files below models/",
        "size" => "pixels a side of what the network sees",
        "crop" => "the whole frame, or the fibre with a margin around it",
        "margin" => "cladding radii from the fibre's middle to the edge",
        "levels" => "gray levels, what stands out of them, or that and zones",
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

/// What does not make a point of the chart yet.
pub fn chart_forming(group: Subgroup) -> String {
    format!("next: {} of {}", group.defective, group.of)
}

/// Points beyond their limits, by the sign that marks them.
pub fn chart_out(count: usize, sign: &str) -> String {
    format!("{sign} {count} beyond the limits")
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
        TaskOf::Comparison(_, plugin) => format!("compare builds of {plugin}"),
        TaskOf::Reference(_) => "make a reference".to_owned(),
        TaskOf::List(_) => "export the list".to_owned(),
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

pub fn builds_of(plugin: &PluginId) -> String {
    format!("{BUILDS_TITLE} of {plugin}")
}

pub fn captures_differ(differing: u64, of: u64) -> String {
    format!("{differing} of {of} captures differ")
}

/// How far a comparison is, where it cannot be missed.
pub fn read_of(done: u64, of: u64) -> String {
    format!("{} of {} read; Esc ends it", number(done), number(of))
}

/// What was made, and what takes it.
pub fn reference_made(used: usize, left_out: usize, path: &str) -> String {
    let left = if left_out == 0 { String::new() } else { format!(" ({left_out} left out)") };
    format!("{path} made of {used} captures{left}; it is for detect-anomaly's `model`")
}

pub fn compared_newest(count: usize) -> String {
    format!("of the newest {count}; captures that are marked are compared instead")
}

pub fn put_back(path: &Path) -> String {
    format!("{} is back; the engine takes it up.", ferrule_core::names::display(path))
}
