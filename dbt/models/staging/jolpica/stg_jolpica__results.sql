{{ results_of('jolpica_results') }}
