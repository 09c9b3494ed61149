{{ results_of('jolpica_sprint') }}
