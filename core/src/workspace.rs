//! Where things are in a workspace. A workspace is a folder with `ferrule.toml`; nothing here touches the disk.

use std::path::{Path, PathBuf};

/// The file that makes a folder a workspace.
pub const CONFIGURATION: &str = "ferrule.toml";

/// A workspace's places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace at this absolute path.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.root.join(CONFIGURATION)
    }

    /// The developer's plug-ins.
    #[must_use]
    pub fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// Log and plug-in store.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.root.join(".ferrule")
    }

    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.private().join("engine.log")
    }

    /// Written by the engine: the path of the dataset it holds, so that it is found while `ferrule.toml` is wrong or
    /// names another one.
    #[must_use]
    pub fn dataset_in_force(&self) -> PathBuf {
        self.private().join("dataset")
    }

    /// Content-addressed copies of plug-in libraries.
    #[must_use]
    pub fn plugin_store(&self) -> PathBuf {
        self.private().join("store")
    }
}

/// A dataset's places. `index.sqlite` and the lock lie in its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetPaths {
    root: PathBuf,
}

impl DatasetPaths {
    /// The dataset at this absolute path.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("index.sqlite")
    }

    /// Held by the one engine; holds its pid, start time and socket path.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("engine.lock")
    }

    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    #[must_use]
    pub fn masks(&self) -> PathBuf {
        self.root.join("masks")
    }

    #[must_use]
    pub fn defects(&self) -> PathBuf {
        self.root.join("defects")
    }

    /// What `ferrule verify --repair` moved out of the way.
    #[must_use]
    pub fn orphans(&self) -> PathBuf {
        self.root.join("orphans")
    }

    /// Manifests of the splits.
    #[must_use]
    pub fn splits(&self) -> PathBuf {
        self.root.join("splits")
    }

    /// Tables of features as CSV.
    #[must_use]
    pub fn features(&self) -> PathBuf {
        self.root.join("features")
    }

    /// Hand-overs of jobs.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// Annotations by split.
    #[must_use]
    pub fn coco(&self) -> PathBuf {
        self.root.join("coco")
    }

    /// Every table of the database as Parquet.
    #[must_use]
    pub fn parquet(&self) -> PathBuf {
        self.root.join("parquet")
    }

    /// Pictures and boxes in folders.
    #[must_use]
    pub fn yolo(&self) -> PathBuf {
        self.root.join("yolo")
    }

    /// Changed pictures of each image.
    #[must_use]
    pub fn augmented(&self) -> PathBuf {
        self.root.join("augmented")
    }

    /// A page for people.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// What people exported of what they saw: lists, and pictures with what is drawn over them.
    #[must_use]
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// Shards of examples.
    #[must_use]
    pub fn tfrecords(&self) -> PathBuf {
        self.root.join("tfrecords")
    }

    /// Grids of gray levels that correlations are computed from; can be deleted, they are made again.
    #[must_use]
    pub fn grids(&self) -> PathBuf {
        self.root.join(".grids")
    }

    /// Where workers write before the engine publishes.
    #[must_use]
    pub fn staging(&self) -> PathBuf {
        self.root.join(".staging")
    }
}
