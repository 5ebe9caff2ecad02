//! What needs libtorch itself: networks as PyTorch counts and names them, a rule against its formula, going on from a file.

use std::{fs, path::Path, process::Command};

use tch::{Device, Kind, Tensor};

use crate::{
    calibration::Calibration,
    card::{self, Card, Crop, Input, Levels, Network, Task},
    checkpoint::{self, State},
    judge::numbers,
    loss::Loss,
    networks::{Channels, Net, input},
    optimizer::Optimizer,
    pickle,
    settings::Rule,
    tensors::Tensors,
};

fn net(network: Network, task: Task, classes: i64) -> Net {
    tch::manual_seed(5);
    Net::build(network, task, Channels { picture: 1, width: Net::own_width(network), classes }, Device::Cpu).unwrap()
}

#[test]
fn simple_is_the_source_designs_network() {
    let net = net(Network::Simple, Task::Classify, 2);
    assert_eq!(net.weights.count(), 23_426);
    let names: Vec<&str> = net.weights.iter().map(|weight| weight.name.as_str()).collect();
    let expected = [
        "body.0.weight",
        "body.0.bias",
        "body.3.weight",
        "body.3.bias",
        "body.6.weight",
        "body.6.bias",
        "fc.weight",
        "fc.bias",
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_network_answers_in_its_shape_at_sizes_that_halving_does_not_divide() {
    let pictures: Vec<u8> = (0..2 * 50 * 50).map(|at| (at % 251) as u8).collect();
    let x = input(&pictures, 50, 1, Device::Cpu, false).unwrap();
    let shape = |network, task| net(network, task, 3).forward(&x, true).unwrap().size();
    assert_eq!(shape(Network::Simple, Task::Classify), [2, 3]);
    assert_eq!(shape(Network::Resnet, Task::Classify), [2, 3]);
    assert_eq!(shape(Network::Resnet, Task::Defects), [2, 3, 50, 50]);
    assert_eq!(shape(Network::Unet, Task::Defects), [2, 3, 50, 50]);
}

#[test]
fn pixels_with_their_zones_beside_them_are_two_planes_that_lie_channels_last() {
    let pictures: Vec<u8> = (0..2 * 24 * 24 * 2).map(|at| (at % 2 * 100 + at % 17) as u8).collect();
    let x = input(&pictures, 24, 2, Device::Cpu, false).unwrap();
    assert_eq!((x.size(), x.stride()), (vec![2, 2, 24, 24], vec![24 * 24 * 2, 1, 48, 2]));
    let plane = |plane: i64| numbers(&x.select(1, plane)).unwrap();
    assert!(plane(0).iter().zip(plane(1)).all(|(level, zone)| zone - level > 2.5), "zones are their own plane");
    for network in [Network::Resnet, Network::Unet] {
        let shape = Channels { picture: 2, width: 8, classes: 3 };
        let net = Net::build(network, Task::Defects, shape, Device::Cpu).unwrap();
        assert_eq!(net.forward(&x, true).unwrap().size(), [2, 3, 24, 24]);
    }
}

#[test]
fn the_input_is_laid_out_channels_last_and_convolutions_keep_that() {
    let x = input(&[7; 2 * 16 * 16], 16, 1, Device::Cpu, false).unwrap();
    assert_eq!(x.stride(), [256, 1, 16, 1]);
    let weight = Tensor::rand([4, 1, 3, 3], (Kind::Float, Device::Cpu));
    let y = x.conv2d(&weight, None::<Tensor>, [1, 1], [1, 1], [1, 1], 1);
    assert_eq!(y.stride(), [16 * 16 * 4, 1, 16 * 4, 4]);
}

#[test]
fn adam_moves_a_weight_as_its_paper_says() {
    let net = net(Network::Simple, Task::Classify, 2);
    let bias = net.weights.iter().find(|weight| weight.name == "fc.bias").unwrap().tensor.shallow_clone();
    let before = Vec::<f32>::try_from(&bias).unwrap();
    let mut optimizer = Optimizer::new(&net.weights, Rule::Adam, 0.0, 0.0).unwrap();
    // The gradient of 3 b is 3: whatever its size, the first step is the rate.
    for step in 1..=2 {
        optimizer.step(&(bias.sum(Kind::Float) * 3.0), 0.01).unwrap();
        let after = Vec::<f32>::try_from(&bias).unwrap();
        for (after, before) in after.iter().zip(&before) {
            assert!((before - after - 0.01 * step as f32).abs() < 1e-6, "{before} {after}");
        }
    }
}

#[test]
fn gradients_are_cut_to_the_norm_that_was_asked_for() {
    let net = net(Network::Simple, Task::Classify, 2);
    let bias = net.weights.iter().find(|weight| weight.name == "fc.bias").unwrap().tensor.shallow_clone();
    let before = Vec::<f32>::try_from(&bias).unwrap();
    let mut optimizer = Optimizer::new(&net.weights, Rule::Sgd, 0.0, 1.0).unwrap();
    optimizer.step(&(bias.sum(Kind::Float) * 100.0), 1.0).unwrap();
    let after = Vec::<f32>::try_from(&bias).unwrap();
    for (after, before) in after.iter().zip(&before) {
        assert!((before - after - 0.5_f32.sqrt()).abs() < 1e-4, "{before} {after}");
    }
}

#[test]
fn steps_after_a_checkpoint_are_the_steps_that_would_have_been() {
    let folder = tempfile::tempdir().unwrap();
    let pictures: Vec<u8> = (0..4 * 24 * 24).map(|at| (at * 7 % 256) as u8).collect();
    for (network, task) in [(Network::Resnet, Task::Classify), (Network::Unet, Task::Defects)] {
        let target = match task {
            Task::Defects => Tensor::from_slice(&pictures).remainder(3).view([4, 24, 24]).to_kind(Kind::Int64),
            _ => Tensor::from_slice(&[0_i64, 1, 2, 1]),
        };
        let loss = Loss::new(task, &[10, 5, 1], true, Device::Cpu).unwrap();
        let learn = |net: &Net, optimizer: &mut Optimizer, steps: usize| {
            for _ in 0..steps {
                let x = input(&pictures, 24, 1, Device::Cpu, false).unwrap();
                optimizer.step(&loss.of(&net.forward(&x, true).unwrap(), &target).unwrap(), 0.01).unwrap();
            }
        };
        let whole = net(network, task, 3);
        let mut optimizer = Optimizer::new(&whole.weights, Rule::AdamW, 0.01, 1.0).unwrap();
        learn(&whole, &mut optimizer, 2);
        let state = State { epoch: 1, steps: optimizer.steps, fingerprint: "f".into(), ..State::default() };
        checkpoint::save(folder.path(), &whole.weights, &optimizer, &state).unwrap();
        learn(&whole, &mut optimizer, 3);

        let mut again = net(network, task, 3);
        let mut optimizer = Optimizer::new(&again.weights, Rule::AdamW, 0.01, 1.0).unwrap();
        let path = folder.path().join(checkpoint::LAST);
        assert_eq!(checkpoint::load(&path, &mut again.weights, &mut optimizer, "f").unwrap(), state);
        learn(&again, &mut optimizer, 3);
        assert_eq!(again.weights.numbers().unwrap(), whole.weights.numbers().unwrap());

        let refused = checkpoint::load(&path, &mut again.weights, &mut optimizer, "g").unwrap_err().to_string();
        assert!(refused.contains("the dataset or the command changed since"), "{refused}");
    }
}

#[test]
fn weights_of_another_network_are_refused_by_the_first_that_does_not_fit() {
    let file =
        Tensors { tensors: net(Network::Simple, Task::Classify, 2).weights.numbers().unwrap(), ..Tensors::default() };
    let said =
        |network, task, classes| net(network, task, classes).weights.take(&file, "x.safetensors").map_err(|it| it.0);
    assert_eq!(said(Network::Simple, Task::Classify, 2), Ok(()));
    let refused = said(Network::Simple, Task::Classify, 3).unwrap_err();
    assert!(refused.contains("`fc.weight` of shape [3, 64], the file has [2, 64]"), "{refused}");
    assert!(said(Network::Unet, Task::Defects, 2).unwrap_err().contains("x.safetensors is of another network"));
}

/// An array as NumPy keeps it.
fn npy(tensor: &Tensor) -> Vec<u8> {
    let shape: Vec<String> = tensor.size().iter().map(ToString::to_string).collect();
    let mut head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", shape.join(", "));
    // Magic, version and length take ten bytes; the numbers begin at a multiple of 64.
    head.push_str(&" ".repeat(63 - (10 + head.len()) % 64));
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.bytes());
    bytes.extend(numbers(tensor).unwrap().iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

/// Everything in one folder: weights after two steps (running means that have moved), pictures, and what we say of them.
fn case(folder: &Path, network: Network, task: Task) {
    const SIDE: usize = 52;
    let classes = 3;
    let net = net(network, task, classes);
    let pictures: Vec<u8> = (0..4 * SIDE * SIDE).map(|at| (at * 31 % 253) as u8).collect();
    let x = input(&pictures, SIDE, 1, Device::Cpu, false).unwrap();
    let target = match task {
        Task::Defects => Tensor::from_slice(&pictures).remainder(classes).view([4, 52, 52]).to_kind(Kind::Int64),
        _ => Tensor::from_slice(&[0_i64, 1, 2, 1]),
    };
    let loss = Loss::new(task, &[1, 1, 1], false, Device::Cpu).unwrap();
    let mut optimizer = Optimizer::new(&net.weights, Rule::Adam, 0.0, 0.0).unwrap();
    for _ in 0..2 {
        optimizer.step(&loss.of(&net.forward(&x, true).unwrap(), &target).unwrap(), 0.01).unwrap();
    }
    let logits = tch::no_grad(|| net.forward(&x, false)).unwrap();
    let tensors = net.weights.numbers().unwrap();
    let card = Card {
        format: card::FORMAT,
        task,
        network,
        width: Net::own_width(network),
        input: Input { side: SIDE, crop: Crop::Frame, margin: 1.5, levels: Levels::Raw },
        classes: vec!["clean".into(), "scratch".into(), "pit".into()],
        calibration: Calibration::default(),
        threshold: 0.5,
        false_alarms: 0.02,
    };
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.pt"), pickle::state_dict("model", &tensors)).unwrap();
    let words = [(card::WORD.to_owned(), card.to_json())].into();
    Tensors { tensors, words }.write(&folder.join("model.safetensors")).unwrap();
    fs::write(folder.join("input.npy"), npy(&x)).unwrap();
    fs::write(folder.join("logits.npy"), npy(&logits)).unwrap();
}

#[test]
fn pytorch_loads_every_network_and_says_the_same_of_the_same_pictures() {
    let Some(python) = std::env::var_os("FERRULE_HEAVY_PEERS_PYTHON") else {
        eprintln!(
            "notice: NOT RUN, FERRULE_HEAVY_PEERS_PYTHON names no Python with PyTorch; `cargo xtask peers` makes one"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (Network::Simple, Task::Classify),
        (Network::Resnet, Task::Classify),
        (Network::Resnet, Task::Defects),
        (Network::Unet, Task::Defects),
    ];
    for (network, task) in cases {
        case(&folder.path().join(format!("{}-{}", network.as_str(), task.as_str())), network, task);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/train_load.py");
    let output = Command::new(python).arg(script).arg("--cases").arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("\"worst\"").count(), cases.len(), "{said}");
    assert_eq!(said.matches("\"model\"").count(), cases.len(), "{said}");
}
