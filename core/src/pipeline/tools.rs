//! A pipeline ready to work: libraries loaded, instances made. Held by a worker for its whole life.

use std::{cell::RefCell, collections::HashMap, fs::File, io::Read, rc::Rc};

use ferrule_abi as abi;

use super::remote::{Office, Remote};
use crate::{
    host::{
        card::{DescriptorCard, Pixels, Profile},
        elf,
        loader::{Instance, Library, LoadError},
        script::Script,
    },
    ids::{BuildHash, PluginId},
    worker::messages::{Pipeline, Stage},
};

/// Told before each call into a plug-in whose turn it is, so that a crash has a name.
pub type Turn<'a> = dyn FnMut(&PluginId) + 'a;

/// One plug-in of a pipeline, ready to be called.
pub struct Tool {
    pub plugin: PluginId,
    /// `id version`, as results name it.
    pub name: String,
    pub accepts: Vec<Pixels>,
    pub instance: Box<dyn Instance>,
}

/// All plug-ins of a pipeline, by slot, in order.
pub struct Tools {
    pub pipeline: Pipeline,
    pub segment: Vec<Tool>,
    pub detect: Vec<Tool>,
    pub measure: Vec<Tool>,
    pub grade: Vec<Tool>,
}

impl Tools {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Tool> {
        self.segment.iter().chain(&self.detect).chain(&self.measure).chain(&self.grade)
    }
}

/// Libraries by build. They stay loaded until the process ends.
pub struct Libraries {
    loaded: HashMap<BuildHash, Library>,
    /// What this worker loads itself.
    profile: Profile,
    /// Where it asks the others.
    office: Option<Rc<RefCell<Office>>>,
}

/// A pipeline that cannot be put to work.
#[derive(Debug, thiserror::Error)]
#[error("{plugin}: {reason}")]
pub struct Refused {
    pub plugin: PluginId,
    pub reason: String,
    /// What belongs into the log and nowhere else.
    pub dump: Option<String>,
}

impl Libraries {
    /// None yet, for a worker of that profile; a narrow one asks wide plug-ins through its office.
    #[must_use]
    pub fn new(profile: Profile, office: Option<Rc<RefCell<Office>>>) -> Self {
        Self { loaded: HashMap::new(), profile, office }
    }

    /// Loads what is new and makes an instance of every stage.
    ///
    /// # Errors
    /// The first plug-in that cannot be had, and why.
    pub fn equip(&mut self, pipeline: &Pipeline, turn: &mut Turn<'_>) -> Result<Tools, Refused> {
        let mut slot = |stages: &[Stage]| stages.iter().map(|stage| self.tool(stage, turn)).collect::<Result<_, _>>();
        Ok(Tools {
            segment: slot(&pipeline.segment)?,
            detect: slot(&pipeline.detect)?,
            measure: slot(&pipeline.measure)?,
            grade: slot(&pipeline.grade)?,
            pipeline: pipeline.clone(),
        })
    }

    fn tool(&mut self, stage: &Stage, turn: &mut Turn<'_>) -> Result<Tool, Refused> {
        let refuse = |reason: String| Refused { plugin: stage.plugin.clone(), reason, dump: None };
        if stage.profile == Profile::Wide && self.profile == Profile::Narrow {
            let office = self.office.as_ref().ok_or_else(|| refuse("there is no wide worker to ask".into()))?;
            let (plugin, name) = (stage.plugin.clone(), format!("{} {}", stage.plugin, stage.version));
            let instance = Box::new(Remote::new(plugin.clone(), Rc::clone(office)));
            return Ok(Tool { plugin, name, accepts: stage.accepts.clone(), instance });
        }
        // Constructors of a library run in `dlopen`; those of the plug-in in `create`.
        turn(&stage.plugin);
        if !self.loaded.contains_key(&stage.build) {
            let library = open(stage)?;
            self.loaded.insert(stage.build.clone(), library);
        }
        if let Some(script) = &stage.script {
            return self.scripted(stage, script);
        }
        let library = self.loaded.get(&stage.build).ok_or_else(|| refuse("its library is not loaded".into()))?;
        let card = library.card(&stage.plugin).ok_or_else(|| refuse("its library does not offer it".into()))?;
        if card.version != stage.version {
            let found = &card.version;
            return Err(refuse(format!("its library offers version {found}, version {} was asked for", stage.version)));
        }
        let parameters: Vec<abi::Parameter> = stage
            .given()
            .iter()
            .map(|(name, value)| abi::Parameter { name: name.as_str().into(), value: value.into() })
            .collect();
        let instance = library.create(&stage.plugin, &parameters);
        let instance = instance.map_err(|reason| refuse(stage.in_known_names(&reason)))?;
        let DescriptorCard { id, accepts, .. } = card;
        Ok(Tool { plugin: id.clone(), name: card.name(), accepts: accepts.clone(), instance })
    }
}

impl Libraries {
    /// A Python file: the library is the bridge, and the file's own parameters are one of the bridge's.
    fn scripted(&self, stage: &Stage, script: &Script) -> Result<Tool, Refused> {
        let refuse = |reason: String| Refused { plugin: stage.plugin.clone(), reason, dump: None };
        let bridge = self.loaded.get(&stage.build).ok_or_else(|| refuse("the Python bridge is not loaded".into()))?;
        let instance = bridge.create(&script.served_by, &script.parameters(&stage.given()));
        let instance = instance.map_err(|reason| refuse(stage.in_known_names(&reason)))?;
        let (plugin, name) = (stage.plugin.clone(), format!("{} {}", stage.plugin, stage.version));
        Ok(Tool { plugin, name, accepts: stage.accepts.clone(), instance })
    }
}

/// Opens a stage's library, after a look at whether its copy is all there: a mapped file that is short of its end brings
/// the process down without a word. Its content was compared with its name by whoever put it into the pipeline.
fn open(stage: &Stage) -> Result<Library, Refused> {
    let refuse = |reason: String, dump| Refused { plugin: stage.plugin.clone(), reason, dump };
    let path = stage.library.display();
    let head = || -> std::io::Result<(Vec<u8>, u64)> {
        let file = File::open(&stage.library)?;
        let size = file.metadata()?.len();
        let mut head = Vec::new();
        file.take(4096).read_to_end(&mut head)?;
        Ok((head, size))
    };
    let (head, size) = head().map_err(|error| refuse(format!("its copy {path} cannot be read: {error}"), None))?;
    elf::check_head(&head, size)
        .map_err(|_| refuse(format!("its copy {path} is not all there; delete it, and it is made again"), None))?;
    Library::load(&stage.library).map_err(|error| {
        let reason = format!("its library {error}");
        let dump = if let LoadError::Layout { dump, .. } = error { Some(dump) } else { None };
        refuse(reason, dump)
    })
}
