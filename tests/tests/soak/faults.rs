//! What goes wrong, by name. How it is made to says `bench`.

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    EngineKilled,
    WorkersKilled,
    WorkersFrozen,
    EngineFrozen,
    MoreEngines,
    ClientsGoneMad,
    DatabaseHeld,
    CapturesAway,
    CapturesReplaced,
    CapturesCovered,
    CapturesFull,
    DatasetFull,
    DatasetShut,
    QuotaUsed,
    LogFull,
    RuntimeEmptied,
    PipelineSwapped,
    SettingsBroken,
    CopyMade,
    Tidied,
    ClockJumped,
    DescriptorsScarce,
    WatchesExhausted,
    MemoryScarce,
    FoldersShut,
    TrainingKilled,
}

impl Fault {
    pub const ALL: [Self; 26] = [
        Self::EngineKilled,
        Self::WorkersKilled,
        Self::WorkersFrozen,
        Self::EngineFrozen,
        Self::MoreEngines,
        Self::ClientsGoneMad,
        Self::DatabaseHeld,
        Self::CapturesAway,
        Self::CapturesReplaced,
        Self::CapturesCovered,
        Self::CapturesFull,
        Self::DatasetFull,
        Self::DatasetShut,
        Self::QuotaUsed,
        Self::LogFull,
        Self::RuntimeEmptied,
        Self::PipelineSwapped,
        Self::SettingsBroken,
        Self::CopyMade,
        Self::Tidied,
        Self::ClockJumped,
        Self::DescriptorsScarce,
        Self::WatchesExhausted,
        Self::MemoryScarce,
        Self::FoldersShut,
        Self::TrainingKilled,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::EngineKilled => "engine killed",
            Self::WorkersKilled => "workers killed",
            Self::WorkersFrozen => "workers frozen",
            Self::EngineFrozen => "engine frozen",
            Self::MoreEngines => "more engines",
            Self::ClientsGoneMad => "clients gone mad",
            Self::DatabaseHeld => "database held",
            Self::CapturesAway => "captures away",
            Self::CapturesReplaced => "captures replaced",
            Self::CapturesCovered => "captures mounted over",
            Self::CapturesFull => "disk of captures full",
            Self::DatasetFull => "disk of the dataset full",
            Self::DatasetShut => "dataset read-only",
            Self::QuotaUsed => "quota used up",
            Self::LogFull => "disk of the log full",
            Self::RuntimeEmptied => "runtime emptied",
            Self::PipelineSwapped => "pipeline swapped",
            Self::SettingsBroken => "settings broken",
            Self::CopyMade => "copy made",
            Self::Tidied => "tidied",
            Self::ClockJumped => "clock jumped",
            Self::DescriptorsScarce => "descriptors scarce",
            Self::WatchesExhausted => "watches exhausted",
            Self::MemoryScarce => "memory scarce",
            Self::FoldersShut => "folders shut",
            Self::TrainingKilled => "training killed",
        }
    }

    /// It needs disks that can be mounted.
    pub const fn is_of_disks(self) -> bool {
        matches!(
            self,
            Self::CapturesCovered
                | Self::CapturesFull
                | Self::DatasetFull
                | Self::DatasetShut
                | Self::LogFull
                | Self::WatchesExhausted
        )
    }

    /// It needs a disk that says what it is told to.
    pub const fn is_of_the_machine(self) -> bool {
        matches!(self, Self::QuotaUsed | Self::DatasetShut | Self::ClockJumped)
    }

    /// Whoever runs the engine starts it again afterwards.
    pub const fn ends_the_engine(self) -> bool {
        matches!(self, Self::EngineKilled | Self::WatchesExhausted | Self::MemoryScarce)
    }
}
