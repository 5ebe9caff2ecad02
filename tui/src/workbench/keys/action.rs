//! What keys can do: closed lists, so that nothing is bound that nobody does.

use super::super::screens::ScreenName;

/// Everything that a key can do. Its words are in [`crate::workbench::text::action`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Go(ScreenName),
    NextScreen,
    PreviousScreen,
    Help,
    /// Everything that can be done here, found by its letters.
    Palette,
    /// What is chosen in the palette.
    Run,
    /// Everything long.
    Tasks,
    CancelTask,
    /// What rang and still stands.
    Alarms,
    Acknowledge,
    AcknowledgeAll,
    Mouse,
    Quit,
    Suspend,
    Repaint,
    StartEngine,
    Pause,
    Rescan,

    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,

    FilterState,
    FilterLabel,
    Search,
    ClearFilter,
    Sort,
    SortReverse,
    Mark,
    MarkAll,
    MarkInvert,
    MarkNone,
    SayDefect,
    SayClean,
    Skip,
    SkipBack,
    AcceptDefect,
    RejectDefect,
    ChangeKind,
    Kind(u8),
    DrawBox,
    Corner,
    BoxLeft,
    BoxRight,
    BoxUp,
    BoxDown,
    BoxFineLeft,
    BoxFineRight,
    BoxFineUp,
    BoxFineDown,
    CancelBox,
    Undo,
    Redo,
    NextQueue,
    NameReviewer,

    Views,
    SaveView,
    Columns,
    Choose,
    CloseMenu,
    ForgetView,
    Retry,
    RetryAll,
    Reinspect,

    NextCapture,
    PreviousCapture,
    Zoom,
    Closer,
    Farther,
    PanLeft,
    PanRight,
    PanUp,
    PanDown,
    Layers,
    /// Stay at the capture that is shown.
    Freeze,
    Charts,
    CopyPath,
    /// Write the picture with what is drawn over it.
    SavePicture,
    /// Hand the file to the program that is configured.
    OpenWith,
    /// Write the list as a file.
    MakeReference,
    SaveCsv,
    SaveJson,
    /// Near-duplicates side by side.
    NearPairs,
    NextPair,
    PreviousPair,

    /// Write the dataset in the format under the cursor.
    Export,
    CancelExport,
    Reread,

    Train(TrainAction),
    Plugin(PluginAction),
    Job(JobAction),

    Release,
    Level,
    Follow,

    SearchAccept,
    SearchCancel,
    Complete,

    LeaveRunning,
    StopEngine,
    /// Yes, do it.
    Confirm,
    Cancel,
}

/// What a key can do on the Training screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainAction {
    New,
    Submit,
    Close,
    Default,
    Pause,
    StopAfterEpoch,
    StopNow,
    Resume,
    View,
    Metric,
    Mark,
    Notes,
    Tags,
    KeepNote,
    CancelNote,
    Delete,
    Deploy,
}

/// What a key can do on the Plug-ins screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginAction {
    Open,
    Switch,
    Earlier,
    Later,
    Swaps,
    Builds,
    PutBack,
    Differences,
    OpenDiffering,
    Apply,
    Close,
    Default,
}

/// What a key can do about jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAction {
    Show,
    Open,
    /// The capture that the deciding one superseded.
    Before,
    /// Both beside each other.
    Beside,
    HandOver,
    Back,
}
