//! How long a release build of each function takes, and how large it is, with one store each.

use crate::{builds::Builds, figures::Report};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    builds: Builds,
}

pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "Builds for Lambda, one after the other in one folder",
        &["store", "function", "build s", "size MB"],
    );
    for built in options.builds.all()? {
        report.row(vec![
            built.store_name().to_owned(),
            built.name.to_owned(),
            format!("{:.0}", built.time.as_secs_f64()),
            format!("{:.2}", built.megabytes()),
        ]);
    }
    Ok(report)
}
