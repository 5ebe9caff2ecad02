//! A trained network put to work: a model file read, pictures cut as in training, probabilities back.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use ferrule_abi::{ImageView, ParameterSpec, Parameters, PluginError, ROption, SegmentationView, ZoneName};
use ferrule_vision::{
    ellipse::Ellipse,
    frame::{Beyond, Frame},
    relief::{Outlines, Relief, Segmented, interleaved, zones},
};
use tch::{Device, Kind, Tensor, no_grad};

use crate::{
    card::{Card, Levels, Task, WORD},
    device,
    fault::Fault,
    networks::{self, Channels, Net},
    settings::Place,
    tensors::Tensors,
};

/// A model, ready.
pub struct Model {
    pub card: Card,
    /// The card's, or what the settings say instead.
    pub threshold: f64,
    net: Net,
    device: Device,
    /// Buffers.
    relief: Mutex<Relief>,
}

/// Parameters of every plug-in that judges with a model.
#[must_use]
pub fn specs(what: &str) -> Vec<ParameterSpec> {
    vec![
        ParameterSpec::file("model", &format!("{what}: a .safetensors file that `ferrule train` made")),
        ParameterSpec::real(
            "threshold",
            0.0,
            0.0,
            1.0,
            "",
            "score of a defect; 0 for the one that the model was made with",
        ),
        ParameterSpec::choice("device", "cpu", &["auto", "cpu", "cuda"], "auto takes a GPU where there is one"),
        ParameterSpec::integer("threads", 1, 1, 256, "", "of the arithmetic; workers beside it want theirs"),
    ]
}

impl Model {
    /// `None` where no model is named.
    ///
    /// # Errors
    /// A file that is no model, or one of another task.
    pub fn of(parameters: &Parameters, task: Task) -> Result<Option<Self>, PluginError> {
        let path = parameters.text("model")?;
        if path.is_empty() {
            return Ok(None);
        }
        let file = Tensors::read(Path::new(path)).map_err(|error| PluginError::new(error.to_string()))?;
        let card = Card::of(file.words.get(WORD), path)?;
        if card.task != task {
            let (is, wanted) = (card.task.as_str(), task.as_str());
            return Err(PluginError::new(format!("{path} was trained for `{is}`, here one for `{wanted}` is needed")));
        }
        let place = match parameters.text("device")? {
            "auto" => Place::Auto,
            "cuda" => Place::Cuda,
            _ => Place::Cpu,
        };
        let device = device::choose(place)?;
        tch::set_num_threads(parameters.integer("threads")? as i32);
        let given = parameters.real("threshold")?;
        let threshold = if given > 0.0 { given } else { card.threshold };
        let picture = card.input.levels.channels();
        let shape = Channels { picture, width: card.width, classes: card.classes.len() as i64 };
        let mut net = Net::build(card.network, card.task, shape, device)?;
        net.weights.take(&file, path)?;
        Ok(Some(Self { card, threshold, net, device, relief: Mutex::default() }))
    }

    /// The square over a picture, and the picture in it, channels last; `None` where the model wants a fibre and there is none.
    #[must_use]
    pub fn square(&self, image: &ImageView<'_>, segmentation: &SegmentationView<'_>) -> Option<(Frame, Vec<u8>)> {
        let (width, height) = (image.width as usize, image.height as usize);
        let outline = |name| {
            let zone = segmentation.zone(name)?;
            let it = &zone.outline;
            Some(Ellipse { cx: it.cx, cy: it.cy, ax: it.ax, by: it.by, angle_deg: it.angle_deg })
                .filter(Ellipse::is_sound)
        };
        let (cladding, core) = (outline(ZoneName::Cladding), outline(ZoneName::Core));
        let known = match image.pixel_aspect {
            ROption::RSome(aspect) => Some(aspect),
            ROption::RNone => None,
        };
        let (side, part) = (self.card.input.side, self.card.input.part()?);
        let frame = Frame::of(part, side, (width, height), known, cladding.as_ref())?;
        let mut gray = Vec::with_capacity(width * height);
        (0..image.height).for_each(|y| gray.extend_from_slice(image.row(y)));
        let square = match self.card.input.levels {
            Levels::Raw => frame.cut(&gray, width, Beyond::Edge),
            levels @ (Levels::Relief | Levels::Zones) => {
                let labels = segmentation.labels.as_slice();
                let mut relief = self.relief.lock().unwrap_or_else(PoisonError::into_inner);
                let seen = Segmented { gray: &gray, width, labels, cladding, core };
                if levels == Levels::Zones {
                    interleaved(&relief.square(&seen, &frame, Outlines::Kept), &zones(labels, width, &frame))
                } else {
                    relief.square(&seen, &frame, Outlines::Damped)
                }
            }
        };
        Some((frame, square))
    }

    /// Probabilities of squares: (n, classes) or (n, classes, side, side).
    ///
    /// # Errors
    /// libtorch's.
    pub fn probabilities(&self, squares: &[u8]) -> Result<Tensor, Fault> {
        no_grad(|| {
            let x =
                networks::input(squares, self.card.input.side, self.card.input.levels.channels(), self.device, false)?;
            Ok(self.net.forward(&x, false)?.f_softmax(1, Kind::Float)?.f_to_device(Device::Cpu)?)
        })
    }
}
